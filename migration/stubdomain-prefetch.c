/*
 * Suspend file: the pages that a wake touches first.
 *
 * A guest that wakes for a reply touches much the same pages each time. They
 * are noted a moment after a wake, and read, many at a time, as soon as the
 * next wake is at hand: in parallel with the rest of the reply, and with the
 * guest, which would read them one by one. While they are noted the kernel
 * must not read along what lies near, so what is in memory is what was touched.
 *
 * Reading goes into the page cache only, a few ranges at a time, at a low I/O
 * priority: a page that the guest itself waits for has little to queue behind.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <sys/syscall.h>
#include "hw/stubdomain/suspend-file-internal.h"
#include "hw/stubdomain/suspend-memory.h"
#include "qapi/error.h"
#include "qemu/lockable.h"

/* So long after a wake it is noted what was touched. */
#define NOTE_AFTER_MS 500
/* Pages between two that were touched are read too if they are so few. */
#define GAP (4 * KiB)
/* One read; the kernel cuts longer ones. */
#define RANGE_MAX (128 * KiB)
#define RANGES_MAX 8192
/* Reads that are under way at a time. */
#define READS_MAX 48

/* ioprio_set(2): this thread, "best effort", the lowest level. */
static void lower_io_priority(void)
{
    syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 7);
}

typedef struct Notes {
    GArray *ranges;
    uint64_t pages; /* offset in the file of the block that is looked at */
} Notes;

static void note_run(void *opaque, uint64_t offset, uint64_t length)
{
    Notes *notes = opaque;
    GArray *ranges = notes->ranges;
    uint64_t begin = notes->pages + offset;
    uint64_t end = begin + length;

    if (ranges->len) {
        SuspendRange *last = &g_array_index(ranges, SuspendRange,
                                            ranges->len - 1);
        uint64_t last_end = last->offset + last->length;

        if (begin <= last_end + GAP && end - last->offset <= RANGE_MAX) {
            last->length = end - last->offset;
            return;
        }
    }
    while (begin < end && ranges->len < RANGES_MAX) {
        SuspendRange range = { begin, MIN(end - begin, RANGE_MAX) };

        g_array_append_val(ranges, range);
        begin += range.length;
    }
}

/* Caller holds @image->lock, under which no RAM block goes. */
static void note_touched(SuspendImage *image)
{
    Notes notes = { g_array_new(false, false, sizeof(SuspendRange)) };

    for (size_t i = 0; i < image->block_count; i++) {
        const SuspendBlock *block = &image->blocks[i];
        const SuspendMapping *mapping = block->mapping;

        if (mapping && mapping->image == image && mapping->mapped) {
            notes.pages = block->pages;
            suspend_pagemap_scan(block->host, mapping->mapped,
                                 SUSPEND_SCAN_PRESENT, note_run, &notes, NULL);
        }
    }
    if (image->touched) {
        g_array_free(image->touched, true);
    }
    image->touched = notes.ranges;
    image->note_due = false;
}

static void *note_thread(void *opaque)
{
    SuspendImage *image = opaque;

    WITH_QEMU_LOCK_GUARD(&image->lock) {
        if (image->note_due) {
            note_touched(image);
            suspend_advise_access(image, false);
        }
    }
    suspend_image_unref(image);
    return NULL;
}

static void read_range(const SuspendImage *image, const SuspendRange *range)
{
    /* What fails here fails again where somebody is told. */
    readahead(image->fd, range->offset, range->length);
}

static void await_range(const SuspendImage *image, const SuspendRange *range)
{
    char byte;
    ssize_t ret = pread(image->fd, &byte, 1, range->offset + range->length - 1);

    (void)ret;
}

static void prefetch(SuspendImage *image)
{
    g_autofree SuspendRange *ranges = NULL;
    size_t count = 0;

    QEMU_LOCK_GUARD(&image->prefetching);
    WITH_QEMU_LOCK_GUARD(&image->lock) {
        if (image->touched) {
            count = image->touched->len;
            ranges = g_memdup2(image->touched->data, count * sizeof(*ranges));
        }
    }
    for (size_t i = 0; i < count && !qatomic_read(&image->prefetch_stopped);
         i++) {
        read_range(image, &ranges[i]);
        if (i >= READS_MAX) {
            await_range(image, &ranges[i - READS_MAX]);
        }
    }
}

static void *prefetch_thread(void *opaque)
{
    SuspendImage *image = opaque;

    lower_io_priority();
    qemu_sem_wait(&image->prefetch_go);
    prefetch(image);
    suspend_image_unref(image);
    return NULL;
}

static void run_thread(SuspendImage *image, const char *name,
                       void *(*function)(void *))
{
    QemuThread thread;

    qemu_thread_create(&thread, name, function, suspend_image_ref(image),
                       QEMU_THREAD_DETACHED);
}

void suspend_prefetch_prepare(SuspendImage *image)
{
    if (image->touched && image->touched->len &&
        !qatomic_xchg(&image->prefetch_ready, true)) {
        qatomic_set(&image->prefetch_stopped, false);
        run_thread(image, "suspend-prefetch", prefetch_thread);
    }
}

void suspend_prefetch_start(SuspendImage *image)
{
    if (qatomic_xchg(&image->prefetch_ready, false)) {
        qemu_sem_post(&image->prefetch_go);
    }
}

void suspend_prefetch_stop(SuspendImage *image)
{
    qatomic_set(&image->prefetch_stopped, true);
    suspend_prefetch_start(image);
}

static void note_now(void *opaque)
{
    SuspendFile *file = opaque;

    if (file->image && !file->job) {
        run_thread(file->image, "suspend-note", note_thread);
    }
}

QEMUTimer *suspend_prefetch_timer_new(SuspendFile *file)
{
    return timer_new_ms(QEMU_CLOCK_REALTIME, note_now, file);
}

void suspend_prefetch_begin_wake(SuspendFile *file)
{
    if (!file->image->working_set) {
        return;
    }
    WITH_QEMU_LOCK_GUARD(&file->image->lock) {
        file->image->note_due = true;
    }
    timer_mod(file->note_timer,
              qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + NOTE_AFTER_MS);
}

void suspend_prefetch_end_wake(SuspendImage *image)
{
    suspend_prefetch_stop(image);
    WITH_QEMU_LOCK_GUARD(&image->prefetching) {
        /* Nobody reads any more. */
    }
    QEMU_LOCK_GUARD(&image->lock);
    if (image->note_due) {
        note_touched(image);
    }
}
