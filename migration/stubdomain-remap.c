/*
 * Suspend file: the file mapped over guest RAM.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <sys/mman.h>
#include <sys/syscall.h>
#include "hw/stubdomain/suspend-file-internal.h"
#include "hw/stubdomain/suspend-memory.h"
#include "qapi/error.h"
#include "qemu/madvise.h"
#include "system/qtest.h"

/* More host NUMA nodes than any kernel has been built for. */
#define NODES_MAX 1024

/* A NUMA memory policy as get_mempolicy(2) and mbind(2) have it. */
typedef struct Policy {
    int mode;
    unsigned long nodes[BITS_TO_LONGS(NODES_MAX)];
} Policy;

/* False: the memory at @host has none of its own. */
static bool policy_get(const void *host, Policy *policy)
{
    const unsigned long of_address = 1 << 1;
    const int default_mode = 0;

    return syscall(SYS_get_mempolicy, &policy->mode, policy->nodes,
                   NODES_MAX + 1, host, of_address) == 0 &&
           policy->mode != default_mode;
}

bool suspend_treat_alike(const SuspendMapping *mapping, const void *like,
                         void *host, uint64_t length)
{
    Policy policy = {};

    /* As for all guest RAM, see ram_block_add(). */
    if (mapping->mergeable) {
        qemu_madvise(host, length, QEMU_MADV_MERGEABLE);
    }
    if (!mapping->dump) {
        qemu_madvise(host, length, QEMU_MADV_DONTDUMP);
    }
    if (!qtest_enabled()) {
        qemu_madvise(host, length, QEMU_MADV_DONTFORK);
    }
    return !policy_get(like, &policy) ||
           syscall(SYS_mbind, host, length, policy.mode, policy.nodes,
                   NODES_MAX + 1, 0) == 0;
}

bool suspend_map(const SuspendMapping *mapping, uint64_t offset,
                 uint64_t length, int fd, uint64_t file_offset)
{
    int anonymous = fd < 0 ? MAP_ANONYMOUS : 0;
    void *host = mapping->host + offset;
    /* Mapped elsewhere first, so that nothing is lost if something fails. */
    void *mapped = mmap(NULL, length, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_NORESERVE | anonymous, fd,
                        file_offset);

    if (mapped == MAP_FAILED) {
        return false;
    }
    if (!suspend_treat_alike(mapping, host, mapped, length) ||
        mremap(mapped, length, length, MREMAP_MAYMOVE | MREMAP_FIXED,
               host) == MAP_FAILED) {
        int saved_errno = errno;

        munmap(mapped, length);
        errno = saved_errno;
        return false;
    }
    return true;
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

static bool drop(const SuspendBlock *block, uint64_t offset, uint64_t length,
                 Error **errp)
{
    if (madvise(block->host + offset, length, MADV_DONTNEED) < 0) {
        error_setg_errno(errp, errno, "cannot give back memory '%s'",
                         block->name);
        return false;
    }
    return true;
}

bool suspend_remap(SuspendImage *image, SuspendBlock *block, uint64_t offset,
                   uint64_t length, Error **errp)
{
    SuspendMapping *mapping = block->mapping;

    if (mapping->image == image && offset < mapping->mapped &&
        !mapping->patched) {
        return drop(block, offset, length, errp);
    }

    if (image->cipher) {
        /* Watched before it goes, so nobody finds it missing. */
        if (!suspend_absent_begin(image, block, offset, length, errp) ||
            !drop(block, offset, length, errp)) {
            return false;
        }
    } else if (!suspend_map(mapping, offset, length, image->fd,
                            block->pages + offset)) {
        error_setg_errno(errp, errno, "cannot map the suspend file over "
                         "memory '%s'", block->name);
        return false;
    }
    qatomic_set(&mapping->absent, image->cipher);
    mapping->pages = block->pages;
    qatomic_set(&mapping->image, image);
    qatomic_set(&mapping->mapped, MAX(mapping->mapped, offset + length));
    mapping->backed = MAX(mapping->backed, mapping->mapped);
    if (offset + length == block->length) {
        mapping->patched = false;
    }
    return true;
}
