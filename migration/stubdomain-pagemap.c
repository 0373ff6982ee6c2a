/*
 * Suspend file: what Linux tells about the pages of guest RAM.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <sys/ioctl.h>
#include "hw/stubdomain/suspend-file-internal.h"
#include "hw/stubdomain/suspend-memory.h"
#include "qapi/error.h"

/* Pages whose state is asked for in one go. */
#define QUERY_PAGES 4096
/* Runs that one PAGEMAP_SCAN returns at most. */
#define SCAN_RUNS 512

/* linux/fs.h since Linux 6.7; older headers lack it. */
struct scan_run {
    uint64_t start;
    uint64_t end;
    uint64_t categories;
};

struct scan_arguments {
    uint64_t size;
    uint64_t flags;
    uint64_t start;
    uint64_t end;
    uint64_t walk_end;
    uint64_t runs;
    uint64_t runs_length;
    uint64_t max_pages;
    uint64_t category_inverted;
    uint64_t category_mask;
    uint64_t category_anyof_mask;
    uint64_t return_mask;
};

#define SCAN_IOCTL _IOWR('f', 16, struct scan_arguments)
#define SCAN_FILE (1 << 2)
#define SCAN_PRESENT (1 << 3)
#define SCAN_SWAPPED (1 << 4)

static int pagemap_fd = -1;
static int pagemap_errno;

void suspend_pagemap_init(void)
{
    if (pagemap_fd < 0) {
        pagemap_fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
        pagemap_errno = errno;
    }
}

bool suspend_pagemap_check(Error **errp)
{
    if (pagemap_fd < 0) {
        error_setg_errno(errp, pagemap_errno, "cannot open /proc/self/pagemap");
        return false;
    }
    return true;
}

bool suspend_pagemap_read(const uint8_t *host, uint64_t length,
                          uint64_t *entries, Error **errp)
{
    size_t page = qemu_real_host_page_size();
    size_t size = length / page * sizeof(*entries);
    off_t offset = (uintptr_t)host / page * sizeof(*entries);
    ssize_t ret = pread(pagemap_fd, entries, size, offset);

    if (ret != size) {
        error_setg_errno(errp, ret < 0 ? errno : EIO,
                         "cannot read /proc/self/pagemap");
        return false;
    }
    return true;
}

static int scan(const uint8_t *host, uint64_t length, SuspendScan what,
                SuspendRunFunc *func, void *opaque)
{
    uint64_t not_file = what == SUSPEND_SCAN_PRESENT ? 0 : SCAN_FILE;
    uint64_t swapped = what == SUSPEND_SCAN_CHANGED ? SCAN_SWAPPED : 0;
    struct scan_run runs[SCAN_RUNS];
    struct scan_arguments arguments = {
        .size = sizeof(arguments),
        .start = (uintptr_t)host,
        .end = (uintptr_t)host + length,
        .runs = (uintptr_t)runs,
        .runs_length = SCAN_RUNS,
        .category_inverted = not_file,
        .category_mask = not_file,
        .category_anyof_mask = SCAN_PRESENT | swapped,
        .return_mask = SCAN_PRESENT,
    };

    while (arguments.start < arguments.end) {
        int count = ioctl(pagemap_fd, SCAN_IOCTL, &arguments);

        if (count < 0) {
            return -1;
        }
        for (int i = 0; i < count; i++) {
            func(opaque, runs[i].start - (uintptr_t)host,
                 runs[i].end - runs[i].start);
        }
        arguments.start = arguments.walk_end;
    }
    return 0;
}

static bool is_such(uint64_t entry, SuspendScan what)
{
    if (what == SUSPEND_SCAN_PRIVATE) {
        return sd_suspend_count_resident(&entry, 1, true);
    }
    return sd_suspend_page_exists(entry, what == SUSPEND_SCAN_CHANGED);
}

bool suspend_pagemap_scan(const uint8_t *host, uint64_t length,
                          SuspendScan what, SuspendRunFunc *func, void *opaque,
                          Error **errp)
{
    static bool cannot;
    size_t page = qemu_real_host_page_size();
    uint64_t step;

    if (!qatomic_read(&cannot)) {
        if (scan(host, length, what, func, opaque) == 0) {
            return true;
        }
        qatomic_set(&cannot, errno == ENOTTY);
    }
    for (uint64_t offset = 0; offset < length; offset += step) {
        uint64_t entries[QUERY_PAGES];

        step = MIN(QUERY_PAGES * page, length - offset);
        if (!suspend_pagemap_read(host + offset, step, entries, errp)) {
            return false;
        }
        for (size_t i = 0; i < step / page; i++) {
            if (is_such(entries[i], what)) {
                func(opaque, offset + i * page, page);
            }
        }
    }
    return true;
}
