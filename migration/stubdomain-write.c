/*
 * Suspend file: one write of guest RAM and device state.
 *
 * The main loop saves the device state, then starts a job. The job's thread
 * and its helpers write RAM; when all of it is on the disk the thread maps the
 * file over guest RAM, piece by piece, and marks the file as suspended. What
 * a page reads as is the same before and after, so a job can be stopped
 * between any two steps.
 *
 * As with a migration, nothing may write to guest RAM while the vCPUs are
 * stopped.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <malloc.h>
#include "block/aio.h"
#include "hw/stubdomain/suspend-checksums.h"
#include "hw/stubdomain/suspend-file-internal.h"
#include "hw/stubdomain/suspend-memory.h"
#include "qapi/error.h"
#include "qemu/lockable.h"
#include "qemu/main-loop.h"
#include "qemu/uuid.h"
#include "system/runstate.h"

static void job_free(SuspendJob *job)
{
    sd_suspend_stream_free(job->stream);
    error_free(job->error);
    g_free(job->mapped);
    g_free(job->backed);
    for (size_t i = 0; job->changed && i < job->image->block_count; i++) {
        g_free(job->changed[i]);
    }
    g_free(job->changed);
    suspend_image_unref(job->image);
    g_free(job);
}

void suspend_job_fail(SuspendJob *job, Error *error)
{
    QEMU_LOCK_GUARD(&job->image->lock);
    qatomic_set(&job->stopped, true);
    if (job->error) {
        error_free(error);
    } else {
        job->error = error;
    }
}

/* The first time: here, since a key takes its time. */
static bool make_cipher(SuspendJob *job, Error **errp)
{
    SuspendImage *image = job->image;

    if (!image->secret.data) {
        return true;
    }
    image->cipher = suspend_cipher_new(&image->secret,
                                       &image->header.encryption, errp);
    suspend_secret_clear(&image->secret);
    job->header.encryption = image->header.encryption;
    return image->cipher;
}

/*
 * The beginning of the stream; with the mark "live", until all is on the disk.
 */
static bool write_head(SuspendJob *job, Error **errp)
{
    struct sd_suspend_piece head = sd_suspend_stream_piece(job->stream, 0);
    size_t page = qemu_real_host_page_size();

    if (head.length > page &&
        !suspend_image_write(job->image, head.data + page, head.length - page,
                             page, errp)) {
        return false;
    }
    QEMU_LOCK_GUARD(&job->image->lock);
    suspend_image_set_first_page(job->image, head.data, head.length);
    return suspend_image_set_mark(job->image, SD_SUSPEND_MARK_LIVE, errp);
}

/* Behind everything else: the checksums of what was written. */
static bool write_index(SuspendJob *job, Error **errp)
{
    SuspendImage *image = job->image;
    struct sd_suspend_header *header = &job->header;
    size_t length;
    uint8_t *index = sd_suspend_index_encode(image->layout, job->stream,
                                             image->bitmaps, &length);
    bool ok;

    header->checksums_offset = sd_suspend_checksums_offset(image->layout);
    header->index_offset = ROUND_UP(sd_suspend_stream_end(job->stream),
                                    SUSPEND_SECTOR);
    header->index_length = length;
    header->index_crc = sd_suspend_crc(index, length);
    header->file_length = header->index_offset +
        (image->cipher ? ROUND_UP(length, SUSPEND_SECTOR) : length);
    ok = suspend_image_write(image, index, length, header->index_offset, errp);
    free(index);
    return ok;
}

/* All of the file but the pages and the final mark; and all of it synced. */
static bool write_stream(SuspendJob *job, Error **errp)
{
    SuspendImage *image = job->image;

    if (!write_head(job, errp)) {
        return false;
    }
    for (size_t i = 1; i < sd_suspend_stream_pieces(job->stream); i++) {
        struct sd_suspend_piece piece =
            sd_suspend_stream_piece(job->stream, i);

        if (!suspend_image_write(image, piece.data, piece.length, piece.offset,
                                 errp)) {
            return false;
        }
        qatomic_add(&job->bytes_written, piece.length);
    }
    if (!write_index(job, errp) ||
        !suspend_checksums_write(image, errp)) {
        return false;
    }
    if (ftruncate(image->fd, job->header.file_length) < 0) {
        error_setg_errno(errp, errno, "cannot set the length of suspend file "
                         "'%s'", image->path);
        return false;
    }
    return suspend_image_write(image, image->bitmaps,
                               sd_suspend_bitmaps_length(image->layout),
                               SD_SUSPEND_BITMAPS_OFFSET, errp) &&
           suspend_image_write_header(image, &job->header, errp) &&
           suspend_image_sync(image, errp) &&
           (job->header.generation > 1 ||
            suspend_image_sync_name(image, errp));
}

/* Give guest RAM back. Stops silently when the job does. */
static bool map_ram(SuspendJob *job, Error **errp)
{
    SuspendImage *image = job->image;

    for (size_t i = 0; i < image->block_count; i++) {
        SuspendBlock *block = &image->blocks[i];
        uint64_t end = block->mapping ? block->length : 0;

        for (uint64_t offset = 0; offset < end; offset += SUSPEND_MAP_PIECE) {
            uint64_t length = MIN(SUSPEND_MAP_PIECE, end - offset);

            QEMU_LOCK_GUARD(&image->lock);
            if (job->stopped) {
                return true;
            }
            job->first = false;
            if (!suspend_remap(image, block, offset, length, errp)) {
                return false;
            }
        }
    }
    return true;
}

static bool mark_suspended(SuspendJob *job, Error **errp)
{
    SuspendImage *image = job->image;

    WITH_QEMU_LOCK_GUARD(&image->lock) {
        if (job->stopped) {
            return true;
        }
        suspend_advise_access(image, job->working_set);
        if (!suspend_image_set_mark(image, SD_SUSPEND_MARK_SUSPENDED, errp)) {
            return false;
        }
        if (job->working_set) {
            suspend_prefetch_prepare(image);
        }
    }
    return suspend_image_sync(image, errp);
}

/* What a first write that came to nothing has taken of the disk. */
static void give_space_back(SuspendJob *job)
{
    SuspendImage *image = job->image;

    if (ftruncate(image->fd, SD_SUSPEND_BITMAPS_OFFSET) == 0) {
        memset(image->bitmaps, 0, sd_suspend_bitmaps_length(image->layout));
    }
}

static void job_done(void *opaque)
{
    SuspendJob *job = opaque;

    if (!job->cancelled) {
        job->file->job = NULL;
        if (!job->error) {
            job->image->header = job->header;
            job->image->bytes_written = job->bytes_written;
        }
        job->done(job->opaque, g_steal_pointer(&job->error));
    }
    job_free(job);
}

static void *job_thread(void *opaque)
{
    SuspendJob *job = opaque;
    SuspendImage *image = job->image;
    Error *error = NULL;

    WITH_QEMU_LOCK_GUARD(&image->writing) {
        image->keep_cache = job->keep_cache;
        suspend_prefetch_end_wake(image);
        WITH_QEMU_LOCK_GUARD(&image->restoring) {
            /* Nobody puts memory in place any more. */
        }
        /* What follows must not be read as the image that was there before. */
        if (!qatomic_read(&image->mark_durable) &&
            !suspend_image_sync(image, &error)) {
            suspend_job_fail(job, g_steal_pointer(&error));
        }
        if (!make_cipher(job, &error)) {
            suspend_job_fail(job, g_steal_pointer(&error));
        }
        suspend_write_ram(job);
        if (!qatomic_read(&job->stopped) &&
            (!write_stream(job, &error) || !map_ram(job, &error) ||
             !mark_suspended(job, &error))) {
            suspend_job_fail(job, error);
        }
        if (qatomic_read(&job->stopped) && job->first) {
            give_space_back(job);
        }
        if (!job->keep_cache) {
            suspend_image_drop_cache(image);
        }
    }
    aio_bh_schedule_oneshot(qemu_get_aio_context(), job_done, job);
    malloc_trim(0);
    return NULL;
}

static void job_set_mapped(SuspendJob *job)
{
    SuspendImage *image = job->image;

    job->mapped = g_new0(uint64_t, image->block_count);
    job->backed = g_new0(uint64_t, image->block_count);
    for (size_t i = 0; i < image->block_count; i++) {
        SuspendMapping *mapping = image->blocks[i].mapping;

        if (mapping) {
            job->mapped[i] = mapping->image == image ? mapping->mapped : 0;
            job->backed[i] = mapping->backed;
        }
    }
}

bool suspend_file_write(SuspendFile *file, SuspendFileDone *done, void *opaque,
                        Error **errp)
{
    SuspendJob *job;
    QemuThread thread;
    QemuUUID id;

    if (runstate_is_running()) {
        error_setg(errp, "the VM is running");
        return false;
    }
    if (!file->job) {
        /* Nobody must start what is about to be overwritten. */
        suspend_file_mark_live(file);
    }
    if (!suspend_file_prepare(file, errp)) {
        return false;
    }

    job = g_new0(SuspendJob, 1);
    job->file = file;
    job->image = suspend_image_ref(file->image);
    job->done = done;
    job->opaque = opaque;
    /* What is read anyway need not be read ahead. */
    job->working_set = file->options->working_set && !file->options->eager;
    job->keep_cache = file->options->keep_cache;
    job->image->working_set = job->working_set;
    job->image->expected = false;
    job->first = !suspend_mappings_used(job->image);
    job_set_mapped(job);
    job->header = job->image->header;
    job->header.generation++;
    qemu_uuid_generate(&id);
    QEMU_BUILD_BUG_ON(sizeof(id) != sizeof(job->header.image));
    memcpy(job->header.image, &id, sizeof(id));
    memcpy(file->descends, &id, sizeof(id));
    if (!suspend_save_devices(job, errp)) {
        job_free(job);
        return false;
    }
    file->job = job;
    qemu_thread_create(&thread, "suspend", job_thread, job,
                       QEMU_THREAD_DETACHED);
    return true;
}

void suspend_file_cancel(SuspendFile *file)
{
    SuspendJob *job = file->job;

    if (!job) {
        return;
    }
    WITH_QEMU_LOCK_GUARD(&job->image->lock) {
        qatomic_set(&job->stopped, true);
    }
    job->cancelled = true;
    file->job = NULL;
}
