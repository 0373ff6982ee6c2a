/*
 * Suspend file: what Linux is asked, and told, of guest RAM.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_STUBDOMAIN_SUSPEND_MEMORY_H
#define HW_STUBDOMAIN_SUSPEND_MEMORY_H

#include "hw/stubdomain/suspend-file-internal.h"

/* -- stubdomain-pagemap.c -- */

/* Opens /proc/self/pagemap, before QEMU drops privileges. */
void suspend_pagemap_init(void);
bool suspend_pagemap_check(Error **errp);
/* Pagemap of @length bytes from @host on. Any thread. */
bool suspend_pagemap_read(const uint8_t *host, uint64_t length,
                          uint64_t *entries, Error **errp);
typedef void SuspendRunFunc(void *opaque, uint64_t offset, uint64_t length);
typedef enum SuspendScan {
    SUSPEND_SCAN_PRESENT, /* pages that are in memory */
    SUSPEND_SCAN_PRIVATE, /* those of them that are no file's */
    SUSPEND_SCAN_CHANGED, /* and those that are in swap */
} SuspendScan;
/*
 * Call @func, in order, with the runs of such pages. Offsets count from @host.
 * Any thread.
 */
bool suspend_pagemap_scan(const uint8_t *host, uint64_t length,
                          SuspendScan what, SuspendRunFunc *func, void *opaque,
                          Error **errp);

/* -- stubdomain-remap.c -- */

/*
 * Tell the kernel of [@host, @host + @length), which is to be part of @mapping,
 * what it was told of the memory at @like: its NUMA policy, and how it is
 * merged, dumped and inherited. Returns false with errno set.
 */
bool suspend_treat_alike(const SuspendMapping *mapping, const void *like,
                         void *host, uint64_t length);
/*
 * Map [@offset, @offset + @length) of @mapping privately from @fd, or with -1
 * from nowhere, and treat it as what was there. Returns false with errno set,
 * and nothing changed.
 */
bool suspend_map(const SuspendMapping *mapping, uint64_t offset,
                 uint64_t length, int fd, uint64_t file_offset);
/*
 * Map [@offset, @offset + @length) of @block from @image, or drop the private
 * copies where it is mapped already. Caller holds @image->lock; no BQL needed.
 */
bool suspend_remap(SuspendImage *image, SuspendBlock *block, uint64_t offset,
                   uint64_t length, Error **errp);
/*
 * Whether pages of guest RAM are about to be touched here and there, so that
 * no others are to be read along. Caller holds @image->lock.
 */
void suspend_advise_access(const SuspendImage *image, bool scattered);

/* -- stubdomain-absent.c -- */

/* Whether it can be told that somebody touches memory that is not there. */
bool suspend_absent_check(Error **errp);
/*
 * From now on, pages of this range that are not there are brought from @image
 * when they are touched. Any thread; caller holds @image->lock.
 */
bool suspend_absent_begin(SuspendImage *image, const SuspendBlock *block,
                          uint64_t offset, uint64_t length, Error **errp);
/* No guest RAM needs that any more. */
void suspend_absent_end(SuspendImage *image);

#endif
