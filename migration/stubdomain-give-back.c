/*
 * Suspend file: guest RAM that was read back for a wake that did not come.
 *
 * What is as the file has it is mapped from the file again. Who reads the
 * memory of a VM that sleeps sees no difference; who changed it keeps what he
 * wrote.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "block/aio.h"
#include "hw/stubdomain/suspend-file-internal.h"
#include "hw/stubdomain/suspend-memory.h"
#include "hw/stubdomain/suspend-restore.h"
#include "qapi/error.h"
#include "qemu/lockable.h"
#include "qemu/main-loop.h"
#include "qemu/memalign.h"

/* Unless it was changed since. */
static bool give_chunk_back(SuspendRestore *restore, SuspendBlock *block,
                            uint64_t offset, uint64_t length, uint8_t *buffer,
                            Error **errp)
{
    SuspendImage *image = restore->image;

    memset(buffer, 0, length);
    if (!suspend_block_read(image, block, offset, length, buffer, errp)) {
        return false;
    }
    BQL_LOCK_GUARD();
    QEMU_LOCK_GUARD(&image->lock);
    if (restore->stopped || memcmp(buffer, block->host + offset, length)) {
        return true;
    }
    if (!suspend_remap(image, block, offset, length, errp)) {
        return false;
    }
    /* Something else of it may not be mapped. */
    qatomic_set(&block->mapping->patched, true);
    return true;
}

static void give_back_all(SuspendRestore *restore, uint8_t *buffer)
{
    SuspendImage *image = restore->image;
    Error *error = NULL;
    uint64_t offset;
    size_t index;

    while (suspend_restore_next(restore, &index, &offset)) {
        SuspendBlock *block = &image->blocks[index];
        uint64_t length = MIN(SUSPEND_RESTORE_CHUNK, block->length - offset);

        if (!give_chunk_back(restore, block, offset, length, buffer, &error)) {
            suspend_restore_fail(restore, error);
        }
    }
}

void *suspend_give_back_thread(void *opaque)
{
    SuspendRestore *restore = opaque;
    SuspendImage *image = restore->image;
    uint8_t *buffer = qemu_memalign(qemu_real_host_page_size(),
                                    SUSPEND_RESTORE_CHUNK);

    rcu_register_thread();
    WITH_QEMU_LOCK_GUARD(&image->restoring) {
        give_back_all(restore, buffer);
        if (!image->keep_cache) {
            suspend_image_drop_cache(image);
        }
    }
    qemu_vfree(buffer);
    rcu_unregister_thread();
    aio_bh_schedule_oneshot(qemu_get_aio_context(), suspend_restore_done,
                            restore);
    return NULL;
}
