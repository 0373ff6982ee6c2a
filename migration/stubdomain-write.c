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
#include "hw/stubdomain/suspend-file-internal.h"
#include "io/channel-buffer.h"
#include "migration/global_state.h"
#include "qapi/error.h"
#include "qemu/bitmap.h"
#include "qemu/cutils.h"
#include "qemu/lockable.h"
#include "qemu/main-loop.h"
#include "qemu/rcu.h"
#include "qemu/uuid.h"
#include "system/runstate.h"
#include "migration.h"
#include "qemu-file.h"
#include "savevm.h"

/* Threads that write, the job's own among them. */
#define WORKERS 2

struct SuspendJob {
    SuspendFile *file;       /* main loop only, and not after a cancel */
    SuspendImage *image;
    SuspendFileDone *done;
    void *opaque;
    bool cancelled;          /* main loop only */

    sd_suspend_stream *stream;
    struct sd_suspend_header header;
    /* How far each block is mapped, and backed, as the job begins. */
    uint64_t *mapped;
    uint64_t *backed;
    bool first;              /* nothing is mapped from the image yet */

    uint64_t bytes_written;  /* atomic */
    bool stopped;            /* atomic; set with image->lock held */

    /* image->lock */
    Error *error;
    size_t next_block;
    uint64_t next_offset;
};

static void job_free(SuspendJob *job)
{
    suspend_image_unref(job->image);
    sd_suspend_stream_free(job->stream);
    error_free(job->error);
    g_free(job->mapped);
    g_free(job->backed);
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

/* The next chunk to write; false: no more. */
static bool job_next_chunk(SuspendJob *job, size_t *block, uint64_t *offset)
{
    SuspendImage *image = job->image;

    QEMU_LOCK_GUARD(&image->lock);
    if (job->stopped || job->next_block == image->block_count) {
        return false;
    }
    *block = job->next_block;
    *offset = job->next_offset;
    job->next_offset += SUSPEND_CHUNK;
    if (job->next_offset >= image->blocks[*block].length) {
        job->next_block++;
        job->next_offset = 0;
    }
    return true;
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

static bool write_run(SuspendJob *job, const SuspendBlock *block,
                      uint64_t first, const struct sd_suspend_run *run,
                      Error **errp)
{
    size_t page = qemu_real_host_page_size();
    uint64_t start = first + run->first;
    uint64_t offset = start * page;
    uint64_t length = run->count * page;

    if (run->kind == SD_SUSPEND_ZERO) {
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
    look_at_pages(block, offset / page, count, pages);
    while (sd_suspend_next_run(pages, count, run.first + run.count, &run)) {
        if (!write_run(job, block, offset / page, &run, errp)) {
            return false;
        }
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

static void write_ram(SuspendJob *job)
{
    QemuThread helpers[WORKERS - 1];

    for (int i = 0; i < WORKERS - 1; i++) {
        qemu_thread_create(&helpers[i], "suspend-write", write_chunks, job,
                           QEMU_THREAD_JOINABLE);
    }
    write_chunks(job);
    for (int i = 0; i < WORKERS - 1; i++) {
        qemu_thread_join(&helpers[i]);
    }
}

/* The rest of the file, still with the mark "live", and all of it synced. */
static bool write_stream(SuspendJob *job, Error **errp)
{
    SuspendImage *image = job->image;

    for (size_t i = 0; i < sd_suspend_stream_pieces(job->stream); i++) {
        struct sd_suspend_piece piece =
            sd_suspend_stream_piece(job->stream, i);
        size_t skip = i == 0 ? SD_SUSPEND_MARK_SIZE : 0;

        if (!suspend_image_write(image, piece.data + skip, piece.length - skip,
                                 piece.offset + skip, errp)) {
            return false;
        }
        qatomic_add(&job->bytes_written, piece.length);
    }
    job->header.file_length = sd_suspend_stream_end(job->stream);
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
        if (!suspend_image_set_mark(image, SD_SUSPEND_MARK_SUSPENDED, errp)) {
            return false;
        }
    }
    return suspend_image_sync(image, errp);
}

/* What a first write that failed has taken of a disk that is perhaps full. */
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
        write_ram(job);
        if (!qatomic_read(&job->stopped) &&
            (!write_stream(job, &error) || !map_ram(job, &error) ||
             !mark_suspended(job, &error))) {
            suspend_job_fail(job, error);
        }
        if (job->error && job->first) {
            give_space_back(job);
        }
        suspend_image_drop_cache(image);
    }
    malloc_trim(0);
    aio_bh_schedule_oneshot(qemu_get_aio_context(), job_done, job);
    return NULL;
}

/*
 * What QEMU writes before its first section, and behind the RAM section; the
 * first is *@head bytes long.
 */
static QIOChannelBuffer *save_devices(size_t *head, Error **errp)
{
    MigrationState *migration = migrate_get_current();
    bool *capabilities = migration->capabilities;
    bool mapped_ram = capabilities[MIGRATION_CAPABILITY_MAPPED_RAM];
    bool ignore_shared = capabilities[MIGRATION_CAPABILITY_X_IGNORE_SHARED];
    QIOChannelBuffer *channel = qio_channel_buffer_new(256 * KiB);
    QEMUFile *f = qemu_file_new_output(QIO_CHANNEL(channel));
    int ret;

    /* The stream names the capabilities that it has to be loaded with. */
    capabilities[MIGRATION_CAPABILITY_MAPPED_RAM] = true;
    capabilities[MIGRATION_CAPABILITY_X_IGNORE_SHARED] = false;
    qemu_savevm_state_header(f);
    capabilities[MIGRATION_CAPABILITY_MAPPED_RAM] = mapped_ram;
    capabilities[MIGRATION_CAPABILITY_X_IGNORE_SHARED] = ignore_shared;
    qemu_fflush(f);
    *head = channel->usage;

    global_state_store_running();
    ret = qemu_savevm_state_complete_precopy_non_iterable(f, false);
    if (ret == 0 && should_send_vmdesc()) {
        const char nothing[] = "{}";

        qemu_put_byte(f, QEMU_VM_VMDESCRIPTION);
        qemu_put_be32(f, strlen(nothing));
        qemu_put_buffer(f, (const uint8_t *)nothing, strlen(nothing));
    }
    if (ret == 0) {
        ret = qemu_fflush(f);
    }
    qemu_fclose(f);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "cannot save the state of the devices");
        object_unref(OBJECT(channel));
        return NULL;
    }
    return channel;
}

static bool job_set_stream(SuspendJob *job, Error **errp)
{
    enum sd_suspend_refusal refusal;
    QIOChannelBuffer *saved;
    size_t head;

    saved = save_devices(&head, errp);
    if (!saved) {
        return false;
    }
    refusal = sd_suspend_stream_new(job->image->layout,
                                    migrate_get_current()->send_section_footer,
                                    saved->data, head, saved->data + head,
                                    saved->usage - head, &job->stream);
    object_unref(OBJECT(saved));
    if (refusal != SD_SUSPEND_OK) {
        error_setg(errp, "cannot make a suspend file: %s",
                   sd_suspend_refusal_text(refusal));
        return false;
    }
    return true;
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
    if (!suspend_file_prepare(file, errp)) {
        return false;
    }
    suspend_file_mark_live(file);

    job = g_new0(SuspendJob, 1);
    job->file = file;
    job->image = suspend_image_ref(file->image);
    job->done = done;
    job->opaque = opaque;
    job->first = !suspend_mappings_used(job->image);
    job_set_mapped(job);
    job->header = job->image->header;
    job->header.generation++;
    qemu_uuid_generate(&id);
    QEMU_BUILD_BUG_ON(sizeof(id) != sizeof(job->header.image));
    memcpy(job->header.image, &id, sizeof(id));
    memcpy(file->descends, &id, sizeof(id));
    if (!job_set_stream(job, errp)) {
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
