/*
 * Suspend file: the pages of guest RAM that have to be written, and reading
 * them.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/stubdomain/suspend-checksums.h"
#include "hw/stubdomain/suspend-file-internal.h"
#include "hw/stubdomain/suspend-memory.h"
#include "qapi/error.h"
#include "qemu/bitmap.h"
#include "qemu/cutils.h"
#include "qemu/lockable.h"
#include "qemu/rcu.h"

/*
 * Threads that write, the job's own among them: enough that the disk always has
 * something to do while some of them look for zeros.
 */
#define WORKERS 4

/*
 * So much that became zero in a row is worth a hole: each one takes the file
 * system longer than to write a few pages.
 */
#define HOLE_MIN (64 * KiB)

static void mark_changed(void *opaque, uint64_t offset, uint64_t length)
{
    unsigned long *changed = opaque;
    uint64_t first = offset / SUSPEND_CHUNK;

    bitmap_set(changed, first,
               (offset + length - 1) / SUSPEND_CHUNK - first + 1);
}

/* Most of what is mapped has not changed: find it in one go. */
static bool find_changed(SuspendJob *job, Error **errp)
{
    const SuspendImage *image = job->image;

    job->changed = g_new0(unsigned long *, image->block_count);
    for (size_t i = 0; i < image->block_count; i++) {
        RCU_READ_LOCK_GUARD();
        if (qatomic_read(&job->stopped) || !job->mapped[i]) {
            continue;
        }
        job->changed[i] = bitmap_new(DIV_ROUND_UP(job->mapped[i],
                                                  SUSPEND_CHUNK));
        if (!suspend_pagemap_scan(image->blocks[i].host, job->mapped[i],
                                  SUSPEND_SCAN_CHANGED, mark_changed,
                                  job->changed[i], errp)) {
            return false;
        }
    }
    return true;
}

/* The next chunk to write; false: no more. */
static bool job_next_chunk(SuspendJob *job, size_t *block, uint64_t *offset)
{
    SuspendImage *image = job->image;

    QEMU_LOCK_GUARD(&image->lock);
    while (!job->stopped && job->next_block < image->block_count) {
        *block = job->next_block;
        *offset = job->next_offset;
        job->next_offset += SUSPEND_CHUNK;
        if (job->next_offset >= image->blocks[*block].length) {
            job->next_block++;
            job->next_offset = 0;
        }
        if (*offset >= job->mapped[*block] ||
            test_bit(*offset / SUSPEND_CHUNK, job->changed[*block])) {
            return true;
        }
    }
    return false;
}

static enum sd_suspend_backing job_backing(const SuspendJob *job, size_t block,
                                           uint64_t offset)
{
    if (!job->image->blocks[block].mapping) {
        return SD_SUSPEND_OTHER;
    }
    if (offset < job->mapped[block]) {
        return SD_SUSPEND_THIS_FILE;
    }
    return offset < job->backed[block] ? SD_SUSPEND_OTHER
                                       : SD_SUSPEND_ANONYMOUS;
}

/* What is to be done about each page of a chunk. */
static void look_at_pages(const SuspendBlock *block, uint64_t first,
                          size_t count, uint8_t *pages)
{
    size_t page = qemu_real_host_page_size();

    for (size_t i = 0; i < count; i++) {
        if (pages[i] == SD_SUSPEND_CHECK) {
            pages[i] = buffer_is_zero(block->host + (first + i) * page, page)
                       ? SD_SUSPEND_ZERO : SD_SUSPEND_DATA;
        }
        if (pages[i] == SD_SUSPEND_ZERO && !test_bit(first + i,
                                                     block->bitmap)) {
            pages[i] = SD_SUSPEND_KEEP;
        }
    }
}

/*
 * What is not mapped from the file (ROMs, tables) cannot tell whether it has
 * changed, and hardly ever has: compare it with what the file has.
 */
static void keep_equal(SuspendJob *job, const SuspendBlock *block,
                       uint64_t offset, size_t count, uint8_t *pages)
{
    size_t page = qemu_real_host_page_size();
    size_t length = count * page;
    g_autofree uint8_t *written = g_malloc(length);

    if (!suspend_image_read(job->image, written, length, block->pages + offset,
                            NULL)) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (test_bit(offset / page + i, block->bitmap) &&
            !memcmp(block->host + offset + i * page, written + i * page,
                    page)) {
            pages[i] = SD_SUSPEND_KEEP;
        }
    }
}

static bool write_run(SuspendJob *job, const SuspendBlock *block,
                      uint64_t first, const struct sd_suspend_run *run,
                      Error **errp)
{
    size_t page = qemu_real_host_page_size();
    uint64_t start = first + run->first;
    uint64_t offset = start * page;
    uint64_t length = run->count * page;

    if (run->kind == SD_SUSPEND_ZERO && length >= HOLE_MIN) {
        bool punched;

        if (!suspend_image_punch(job->image, block->pages + offset, length,
                                 &punched, errp)) {
            return false;
        }
        if (punched) {
            bitmap_clear(block->bitmap, start, run->count);
            return true;
        }
    }
    /* Set first: a write that fails may have written something. */
    bitmap_set(block->bitmap, start, run->count);
    suspend_checksums_note(job->image, block, start, run->count);
    qatomic_add(&job->bytes_written, length);
    return suspend_image_write(job->image, block->host + offset, length,
                               block->pages + offset, errp);
}

static bool write_chunk(SuspendJob *job, size_t index, uint64_t offset,
                        Error **errp)
{
    const SuspendBlock *block = &job->image->blocks[index];
    enum sd_suspend_backing backing = job_backing(job, index, offset);
    size_t page = qemu_real_host_page_size();
    uint64_t length = MIN(SUSPEND_CHUNK, block->length - offset);
    size_t count = length / page;
    g_autofree uint64_t *pagemap = NULL;
    g_autofree uint8_t *pages = g_malloc(count);
    struct sd_suspend_run run = { .first = 0 };

    if (backing != SD_SUSPEND_OTHER) {
        pagemap = g_new(uint64_t, count);
        if (!suspend_pagemap_read(block->host + offset, length, pagemap,
                                  errp)) {
            return false;
        }
    }
    sd_suspend_classify(backing, pagemap, count, pages);
    if (!block->mapping && job->header.generation > 1) {
        keep_equal(job, block, offset, count, pages);
    }
    look_at_pages(block, offset / page, count, pages);
    while (sd_suspend_next_run(pages, count, run.first + run.count, &run)) {
        if (!write_run(job, block, offset / page, &run, errp)) {
            return false;
        }
    }
    return true;
}

bool suspend_block_read(SuspendImage *image, const SuspendBlock *block,
                        uint64_t offset, uint64_t length, uint8_t *data,
                        Error **errp)
{
    size_t page = qemu_real_host_page_size();
    unsigned long end = (offset + length) / page;
    unsigned long first = find_next_bit(block->bitmap, end, offset / page);

    while (first < end) {
        unsigned long last = find_next_zero_bit(block->bitmap, end, first);
        uint8_t *to = data + (first * page - offset);

        if (!suspend_image_read(image, to, (last - first) * page,
                                block->pages + first * page, errp) ||
            !suspend_checksums_check(image, block, to, first, last - first,
                                     errp)) {
            return false;
        }
        first = find_next_bit(block->bitmap, end, last);
    }
    return true;
}

static void *write_chunks(void *opaque)
{
    SuspendJob *job = opaque;
    uint64_t offset;
    size_t block;

    rcu_register_thread();
    while (job_next_chunk(job, &block, &offset)) {
        Error *error = NULL;

        /* RAM that is removed meanwhile stays until the end of the chunk. */
        RCU_READ_LOCK_GUARD();
        if (!qatomic_read(&job->stopped) &&
            !write_chunk(job, block, offset, &error)) {
            suspend_job_fail(job, error);
        }
    }
    rcu_unregister_thread();
    return NULL;
}

void suspend_write_ram(SuspendJob *job)
{
    QemuThread helpers[WORKERS - 1];
    Error *error = NULL;

    if (!find_changed(job, &error)) {
        suspend_job_fail(job, error);
        return;
    }
    for (int i = 0; i < WORKERS - 1; i++) {
        qemu_thread_create(&helpers[i], "suspend-write", write_chunks, job,
                           QEMU_THREAD_JOINABLE);
    }
    write_chunks(job);
    for (int i = 0; i < WORKERS - 1; i++) {
        qemu_thread_join(&helpers[i]);
    }
}
