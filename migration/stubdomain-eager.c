/*
 * Suspend file: all of guest RAM read back before the VM runs.
 *
 * Threads read the file into memory that is nobody's yet, and put it in the
 * place of what is mapped from the file, chunk by chunk. What a page reads as
 * is the same before and after, so that can be stopped between any two chunks:
 * those that are left are still mapped. When all is done, guest RAM is what it
 * was before the first suspend: it has its huge pages, and nothing of it ever
 * waits for the disk.
 *
 * If the wake that was expected does not come, it is given back once more; see
 * stubdomain-give-back.c.
 *
 * A chunk takes its place with the BQL held, since whoever may write to the
 * memory of a VM that sleeps (gdb, loadvm) holds it too.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <sys/mman.h>
#include "block/aio.h"
#include "hw/stubdomain/suspend-file-internal.h"
#include "hw/stubdomain/suspend-memory.h"
#include "hw/stubdomain/suspend-restore.h"
#include "qapi/error.h"
#include "qemu/lockable.h"
#include "qemu/madvise.h"
#include "qemu/main-loop.h"

/* Threads that read: enough that the disk always has something to do. */
#define WORKERS 4
/* A reply that began, but does not wake the VM, keeps its memory so long. */
#define GIVE_BACK_AFTER_MS (10 * 1000)

static bool is_mapped(const SuspendImage *image, const SuspendBlock *block)
{
    return block->mapping && block->mapping->image == image;
}

void suspend_restore_fail(SuspendRestore *restore, Error *error)
{
    QEMU_LOCK_GUARD(&restore->image->lock);
    restore->stopped = true;
    if (restore->error) {
        error_free(error);
    } else {
        restore->error = error;
    }
}

/* -- staging -- */

static bool staging_make(SuspendRestore *restore, size_t index, Error **errp)
{
    const SuspendBlock *block = &restore->image->blocks[index];
    /* Aligned as the block is, for huge pages. */
    uint64_t length = block->length + SUSPEND_RESTORE_CHUNK;
    uint8_t *all = mmap(NULL, length, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    size_t before;

    if (all == MAP_FAILED) {
        error_setg_errno(errp, errno, "no memory to read '%s' into",
                         block->name);
        return false;
    }
    before = ((uintptr_t)block->host - (uintptr_t)all) % SUSPEND_RESTORE_CHUNK;
    if (before) {
        munmap(all, before);
    }
    munmap(all + before + block->length, SUSPEND_RESTORE_CHUNK - before);
    restore->staging[index] = all + before;
    qemu_madvise(all + before, block->length, QEMU_MADV_HUGEPAGE);
    if (!suspend_treat_alike(block->mapping, block->host, all + before,
                             block->length)) {
        error_setg_errno(errp, errno, "cannot bind memory '%s' to its NUMA "
                         "nodes", block->name);
        return false;
    }
    return true;
}

static bool staging_make_all(SuspendRestore *restore)
{
    SuspendImage *image = restore->image;

    for (size_t i = 0; i < image->block_count; i++) {
        Error *error = NULL;
        bool ok;

        WITH_QEMU_LOCK_GUARD(&image->lock) {
            ok = restore->stopped || !is_mapped(image, &image->blocks[i]) ||
                 staging_make(restore, i, &error);
        }
        if (!ok) {
            suspend_restore_fail(restore, error);
            return false;
        }
    }
    return true;
}

static void staging_free(SuspendRestore *restore)
{
    for (size_t i = 0; i < restore->image->block_count; i++) {
        if (restore->staging[i]) {
            munmap(restore->staging[i], restore->image->blocks[i].length);
        }
    }
}

/* -- threads -- */

bool suspend_restore_next(SuspendRestore *restore, size_t *index,
                          uint64_t *offset)
{
    SuspendImage *image = restore->image;

    QEMU_LOCK_GUARD(&image->lock);
    while (!restore->stopped && restore->next_block < image->block_count) {
        *index = restore->next_block;
        *offset = restore->next_offset;
        restore->next_offset += SUSPEND_RESTORE_CHUNK;
        if (!restore->staging[*index] ||
            restore->next_offset >= image->blocks[*index].length) {
            restore->next_block++;
            restore->next_offset = 0;
        }
        if (restore->staging[*index]) {
            return true;
        }
    }
    return false;
}

typedef struct Copy {
    const uint8_t *from;
    uint8_t *to;
} Copy;

static void copy_run(void *opaque, uint64_t offset, uint64_t length)
{
    Copy *copy = opaque;

    memcpy(copy->to + offset, copy->from + offset, length);
}

/* What was read takes its place, with what was written there meanwhile. */
static bool place_chunk(SuspendRestore *restore, size_t index, uint64_t offset,
                        uint64_t length, Error **errp)
{
    const SuspendBlock *block = &restore->image->blocks[index];
    Copy copy = { block->host + offset, restore->staging[index] + offset };

    QEMU_LOCK_GUARD(&restore->image->lock);
    if (restore->stopped) {
        return true;
    }
    if (!suspend_pagemap_scan(copy.from, length, SUSPEND_SCAN_CHANGED, copy_run,
                              &copy, errp)) {
        return false;
    }
    qatomic_set(&block->mapping->patched, true);
    /* The staging area stays, so that nobody else gets its addresses. */
    if (mremap(copy.to, length, length,
               MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP,
               copy.from) == MAP_FAILED) {
        error_setg_errno(errp, errno, "cannot put memory '%s' in its place",
                         block->name);
        return false;
    }
    return true;
}

static void *restore_chunks(void *opaque)
{
    SuspendRestore *restore = opaque;
    uint64_t offset;
    size_t index;

    rcu_register_thread();
    while (suspend_restore_next(restore, &index, &offset)) {
        const SuspendBlock *block = &restore->image->blocks[index];
        uint64_t length = MIN(SUSPEND_RESTORE_CHUNK, block->length - offset);
        Error *error = NULL;
        bool ok = suspend_block_read(restore->image, block, offset, length,
                                     restore->staging[index] + offset, &error);

        if (ok) {
            BQL_LOCK_GUARD();
            ok = place_chunk(restore, index, offset, length, &error);
        }
        if (!ok) {
            suspend_restore_fail(restore, error);
        }
    }
    rcu_unregister_thread();
    return NULL;
}

static void run_workers(SuspendRestore *restore)
{
    QemuThread helpers[WORKERS - 1];

    for (int i = 0; i < WORKERS - 1; i++) {
        qemu_thread_create(&helpers[i], "suspend-read", restore_chunks,
                           restore, QEMU_THREAD_JOINABLE);
    }
    restore_chunks(restore);
    for (int i = 0; i < WORKERS - 1; i++) {
        qemu_thread_join(&helpers[i]);
    }
}

static void *restore_thread(void *opaque)
{
    SuspendRestore *restore = opaque;
    SuspendImage *image = restore->image;

    WITH_QEMU_LOCK_GUARD(&image->restoring) {
        if (staging_make_all(restore)) {
            run_workers(restore);
        }
        staging_free(restore);
        if (!image->keep_cache) {
            suspend_image_drop_cache(image);
        }
    }
    aio_bh_schedule_oneshot(qemu_get_aio_context(), suspend_restore_done,
                            restore);
    return NULL;
}

/* -- main loop -- */

static void give_back(void *opaque)
{
    SuspendFile *file = opaque;
    SuspendRestore *restore = file->restore;
    QemuThread thread;

    if (!restore || !restore->complete) {
        return;
    }
    restore->complete = false;
    restore->gives_back = true;
    restore->next_block = 0;
    qemu_thread_create(&thread, "suspend-give-back", suspend_give_back_thread,
                       restore, QEMU_THREAD_DETACHED);
}

QEMUTimer *suspend_eager_timer_new(SuspendFile *file)
{
    return timer_new_ms(QEMU_CLOCK_REALTIME, give_back, file);
}

static void restore_free(SuspendRestore *restore)
{
    error_free(restore->error);
    g_free(restore->staging);
    suspend_image_unref(restore->image);
    g_free(restore);
}

/* Guest RAM has nothing to do with the file any more. */
static void finish(SuspendFile *file)
{
    suspend_mappings_release(file->image);
    restore_free(g_steal_pointer(&file->restore));
}

void suspend_restore_done(void *opaque)
{
    SuspendRestore *restore = opaque;
    SuspendFile *file = restore->file;
    SuspendFileDone *done = restore->done;
    Error *error;

    if (!file) {
        restore_free(restore);
    } else if (restore->error) {
        error = g_steal_pointer(&restore->error);
        file->restore = NULL;
        opaque = restore->opaque;
        restore_free(restore);
        if (done) {
            done(opaque, error);
        } else {
            /* Who wakes the VM tries again, and is told. */
            error_free(error);
        }
    } else if (done) {
        opaque = restore->opaque;
        finish(file);
        done(opaque, NULL);
    } else if (restore->gives_back) {
        file->restore = NULL;
        restore_free(restore);
    } else {
        restore->complete = true;
        timer_mod(file->eager_timer, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) +
                                     GIVE_BACK_AFTER_MS);
    }
}

void suspend_eager_abandon(SuspendFile *file)
{
    Error *error = NULL;

    if (!file->restore) {
        return;
    }
    if (file->restore->complete) {
        /* What is about to be mapped again is not anybody's. */
        restore_free(g_steal_pointer(&file->restore));
    } else {
        error_setg(&error, "memory cannot be read from suspend file '%s'",
                   file->path);
        suspend_restore_fail(file->restore, error);
    }
}

static void begin(SuspendFile *file)
{
    SuspendRestore *restore = g_new0(SuspendRestore, 1);
    QemuThread thread;

    restore->file = file;
    restore->image = suspend_image_ref(file->image);
    restore->staging = g_new0(uint8_t *, file->image->block_count);
    file->restore = restore;
    qemu_thread_create(&thread, "suspend-restore", restore_thread, restore,
                       QEMU_THREAD_DETACHED);
}

static bool can_begin(const SuspendFile *file)
{
    return !file->restore && file->image && !file->job &&
           file->image->mark == SD_SUSPEND_MARK_SUSPENDED &&
           suspend_mappings_used(file->image);
}

void suspend_eager_expect(SuspendFile *file)
{
    /* Once: it is told of each frame that comes. */
    if (can_begin(file) && !file->image->expected) {
        file->image->expected = true;
        begin(file);
    }
}

bool suspend_file_restore(SuspendFile *file, SuspendFileDone *done,
                          void *opaque)
{
    if (!file->options->eager) {
        return false;
    }
    if (file->restore && file->restore->gives_back) {
        suspend_eager_end(file);
    }
    if (can_begin(file)) {
        begin(file);
    }
    if (!file->restore || file->restore->complete) {
        return false;
    }
    file->restore->done = done;
    file->restore->opaque = opaque;
    return true;
}

void suspend_eager_end(SuspendFile *file)
{
    SuspendRestore *restore = file->restore;

    if (!restore) {
        return;
    }
    if (restore->complete) {
        finish(file);
        return;
    }
    WITH_QEMU_LOCK_GUARD(&restore->image->lock) {
        restore->stopped = true;
    }
    restore->file = NULL;
    file->restore = NULL;
}
