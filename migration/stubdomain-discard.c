/*
 * Suspend file: guest RAM that is discarded since the guest reported it as free.
 *
 * Anonymous memory that was dropped reads as zero. What is mapped from the file
 * would read as what the file has: so a hole is made in the file first. Where
 * that is not possible, memory that is nobody's takes the place, and the next
 * suspend writes the RAM block anew.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/stubdomain/suspend-discard.h"
#include "hw/stubdomain/suspend-file-internal.h"
#include "hw/stubdomain/suspend-memory.h"
#include "qapi/error.h"
#include "qemu/bitmap.h"
#include "qemu/error-report.h"
#include "qemu/lockable.h"

/* Of pages that are zero. */
static void clear_bits(const SuspendImage *image, const SuspendMapping *mapping,
                       uint64_t offset, uint64_t length)
{
    size_t page = qemu_real_host_page_size();

    for (size_t i = 0; i < image->block_count; i++) {
        if (image->blocks[i].mapping == mapping) {
            bitmap_test_and_clear_atomic(image->blocks[i].bitmap,
                                         offset / page, length / page);
        }
    }
}

/* A file that is not written to: nothing may put old data into the hole. */
static bool make_hole(SuspendMapping *mapping, uint64_t offset, uint64_t length)
{
    SuspendFile *file = suspend_file_of(mapping);
    Error *error = NULL;
    bool done;

    if (!file || offset + length > mapping->mapped) {
        return false;
    }
    if (file->job) {
        error_setg(&error, "the VM's memory was discarded");
        suspend_job_fail(file->job, error);
        error = NULL;
    }
    QEMU_LOCK_GUARD(&file->image->writing);
    if (!suspend_image_punch(file->image, mapping->pages + offset, length,
                             &done, &error)) {
        warn_report_err(error);
    }
    if (done && file->image->cipher) {
        /* What the hole decrypts to is not zero. */
        clear_bits(file->image, mapping, offset, length);
    }
    return done;
}

static void replace(SuspendMapping *mapping, uint64_t offset, uint64_t length)
{
    SuspendFile *file = suspend_file_of(mapping);

    if (!suspend_map(mapping, offset, length, -1, 0)) {
        /* Too many mappings, say. The guest must not see what was there. */
        error_report("cannot discard guest memory: %s; the VM is lost, and "
                     "can only be reset", strerror(errno));
        vm_stop_force_state(RUN_STATE_INTERNAL_ERROR);
        return;
    }
    if (file) {
        QEMU_LOCK_GUARD(&file->image->lock);
        mapping->image = NULL;
        mapping->mapped = 0;
    }
}

void suspend_file_discard(void *host, size_t length)
{
    uint8_t *at = host;

    RCU_READ_LOCK_GUARD();
    while (length) {
        SuspendMapping *mapping = suspend_mapping_at(at);
        uint64_t offset, part;

        if (!mapping) {
            return;
        }
        offset = at - mapping->host;
        part = MIN(length, mapping->backed - offset);
        if (!make_hole(mapping, offset, part)) {
            replace(mapping, offset, part);
        }
        at += part;
        length -= part;
    }
}
