/*
 * Suspend file: guest RAM that is encrypted in the file, brought when somebody
 * touches it.
 *
 * Such pages cannot be mapped. They are given back, and userfaultfd tells a
 * thread who touches one: it reads and decrypts the page, and puts it in place.
 * The one that touched it waits meanwhile, in the kernel.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include "hw/stubdomain/suspend-absent.h"
#include "hw/stubdomain/suspend-file-internal.h"
#include "hw/stubdomain/suspend-memory.h"
#include "qapi/error.h"
#include "qemu/bitmap.h"
#include "qemu/event_notifier.h"
#include "qemu/memalign.h"

/* linux/userfaultfd.h since Linux 5.11 and 6.1; older headers lack them. */
#define FOR_USERS_ONLY 1
#define DEVICE_NEW _IO(0xAA, 0x00)

/* The thread's, which frees it. */
struct SuspendAbsent {
    int fd;
    EventNotifier end;
    SuspendImage *image;
};

/*
 * As much as this user may: who has no right to wait in the kernel on behalf of
 * system calls gets those that touch such a page refused.
 */
static int open_fd(void)
{
    int flags = O_CLOEXEC | O_NONBLOCK;
    int fd = syscall(SYS_userfaultfd, flags);

    if (fd < 0) {
        int device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);

        if (device >= 0) {
            fd = ioctl(device, DEVICE_NEW, flags);
            close(device);
        }
    }
    return fd >= 0 ? fd : syscall(SYS_userfaultfd, flags | FOR_USERS_ONLY);
}

static int open_absent(Error **errp)
{
    struct uffdio_api api = { .api = UFFD_API };
    int fd = open_fd();

    if (fd < 0 || ioctl(fd, UFFDIO_API, &api) < 0) {
        error_setg_errno(errp, errno, "cannot use userfaultfd, which memory "
                         "needs that is encrypted in its file");
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}

bool suspend_absent_check(Error **errp)
{
    int fd = open_absent(errp);

    if (fd < 0) {
        return false;
    }
    close(fd);
    return true;
}

static const SuspendBlock *block_at(const SuspendImage *image,
                                    const uint8_t *address)
{
    for (size_t i = 0; i < image->block_count; i++) {
        const SuspendBlock *block = &image->blocks[i];

        if (address >= block->host && address < block->host + block->length) {
            return block;
        }
    }
    return NULL;
}

static void put_zeros(const SuspendAbsent *absent, uint8_t *address)
{
    struct uffdio_zeropage zero = {
        .range = { (uintptr_t)address, qemu_real_host_page_size() },
    };

    ioctl(absent->fd, UFFDIO_ZEROPAGE, &zero);
}

static void put_page(const SuspendAbsent *absent, uint8_t *address,
                     const void *data)
{
    struct uffdio_copy copy = {
        .dst = (uintptr_t)address,
        .src = (uintptr_t)data,
        .len = qemu_real_host_page_size(),
    };

    ioctl(absent->fd, UFFDIO_COPY, &copy);
}

static void bring(const SuspendAbsent *absent, uint8_t *address, void *buffer)
{
    SuspendImage *image = absent->image;
    size_t page = qemu_real_host_page_size();
    const SuspendBlock *block = block_at(image, address);
    struct uffdio_range range = { (uintptr_t)address, page };
    uint64_t offset;

    if (!block) {
        return; /* it went meanwhile, and with it who touched it */
    }
    offset = address - block->host;

    if (!test_bit(offset / page, block->bitmap)) {
        put_zeros(absent, address);
    } else if (suspend_image_read(image, buffer, page, block->pages + offset,
                                  NULL)) {
        put_page(absent, address, buffer);
    } else {
        put_zeros(absent, address);
        suspend_fault_zeros(address);
    }
    /* Where the page was there already, nobody was woken. */
    ioctl(absent->fd, UFFDIO_WAKE, &range);
}

static void *serve(void *opaque)
{
    SuspendAbsent *absent = opaque;
    size_t page = qemu_real_host_page_size();
    void *buffer = qemu_memalign(page, page);
    struct pollfd ready[] = {
        { .fd = absent->fd, .events = POLLIN },
        { .fd = event_notifier_get_fd(&absent->end), .events = POLLIN },
    };
    struct uffd_msg message;

    while (!ready[1].revents) {
        if (read(absent->fd, &message, sizeof(message)) != sizeof(message)) {
            poll(ready, ARRAY_SIZE(ready), -1);
        } else if (message.event == UFFD_EVENT_PAGEFAULT) {
            bring(absent, (uint8_t *)QEMU_ALIGN_DOWN(
                              (uintptr_t)message.arg.pagefault.address, page),
                  buffer);
        }
    }
    qemu_vfree(buffer);
    event_notifier_cleanup(&absent->end);
    close(absent->fd);
    suspend_image_unref(absent->image);
    g_free(absent);
    return NULL;
}

static bool start(SuspendImage *image, Error **errp)
{
    SuspendAbsent *absent;
    QemuThread thread;
    int fd = open_absent(errp);

    if (fd < 0) {
        return false;
    }
    absent = g_new0(SuspendAbsent, 1);
    absent->fd = fd;
    if (event_notifier_init(&absent->end, false) < 0) {
        error_setg(errp, "cannot make an event notifier");
        close(fd);
        g_free(absent);
        return false;
    }
    absent->image = suspend_image_ref(image);
    image->absent = absent;
    qemu_thread_create(&thread, "suspend-absent", serve, absent,
                       QEMU_THREAD_DETACHED);
    return true;
}

bool suspend_absent_begin(SuspendImage *image, const SuspendBlock *block,
                          uint64_t offset, uint64_t length, Error **errp)
{
    struct uffdio_register range = {
        .range = { (uintptr_t)block->host + offset, length },
        .mode = UFFDIO_REGISTER_MODE_MISSING,
    };

    if (!image->absent && !start(image, errp)) {
        return false;
    }
    if (ioctl(image->absent->fd, UFFDIO_REGISTER, &range) < 0) {
        error_setg_errno(errp, errno, "cannot watch memory '%s'", block->name);
        return false;
    }
    return true;
}

void suspend_file_bring(const void *data, size_t length)
{
    size_t page = qemu_real_host_page_size();
    const SuspendMapping *mapping;

    RCU_READ_LOCK_GUARD();
    mapping = suspend_mapping_at(data);
    if (!mapping || !qatomic_read(&mapping->absent)) {
        return;
    }
    for (size_t i = 0; i < length; i += page) {
        (void)qatomic_read((const uint8_t *)data + i);
    }
    (void)qatomic_read((const uint8_t *)data + length - 1);
}

void suspend_absent_end(SuspendImage *image)
{
    if (image->absent) {
        event_notifier_set(&image->absent->end);
        image->absent = NULL;
    }
}
