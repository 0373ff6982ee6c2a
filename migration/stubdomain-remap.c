/*
 * Suspend file: the file mapped over guest RAM.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <sys/mman.h>
#include "hw/stubdomain/suspend-file-internal.h"
#include "qapi/error.h"
#include "qemu/madvise.h"
#include "system/qtest.h"

static void advise(const SuspendBlock *block, void *host, uint64_t length)
{
    /* As for all guest RAM, see ram_block_add(); huge pages a file has not. */
    if (block->mergeable) {
        qemu_madvise(host, length, QEMU_MADV_MERGEABLE);
    }
    if (!block->dump) {
        qemu_madvise(host, length, QEMU_MADV_DONTDUMP);
    }
    if (!qtest_enabled()) {
        qemu_madvise(host, length, QEMU_MADV_DONTFORK);
    }
}

void suspend_advise_access(const SuspendImage *image, bool scattered)
{
    for (size_t i = 0; i < image->block_count; i++) {
        const SuspendMapping *mapping = image->blocks[i].mapping;

        if (mapping && mapping->image == image && mapping->mapped) {
            madvise(mapping->host, mapping->mapped,
                    scattered ? MADV_RANDOM : MADV_NORMAL);
        }
    }
}

bool suspend_remap(SuspendImage *image, SuspendBlock *block, uint64_t offset,
                   uint64_t length, Error **errp)
{
    SuspendMapping *mapping = block->mapping;
    void *host = block->host + offset;
    void *mapped;

    if (mapping->image == image && offset < mapping->mapped &&
        !mapping->patched) {
        if (madvise(host, length, MADV_DONTNEED) < 0) {
            error_setg_errno(errp, errno, "cannot give back memory '%s'",
                             block->name);
            return false;
        }
        return true;
    }

    mapped = mmap(host, length, PROT_READ | PROT_WRITE,
                  MAP_FIXED | MAP_PRIVATE | MAP_NORESERVE, image->fd,
                  block->pages + offset);
    if (mapped == MAP_FAILED) {
        error_setg_errno(errp, errno, "cannot map the suspend file over "
                         "memory '%s'", block->name);
        return false;
    }
    advise(block, mapped, length);
    mapping->pages = block->pages;
    qatomic_set(&mapping->image, image);
    qatomic_set(&mapping->mapped, MAX(mapping->mapped, offset + length));
    mapping->backed = MAX(mapping->backed, mapping->mapped);
    if (offset + length == block->length) {
        mapping->patched = false;
    }
    return true;
}
