/*
 * Suspend file: marked as live, before the vCPUs run.
 *
 * What counts is that no crash leaves an image that says "suspended" beside
 * disks that the guest has changed since. A wake has no time to wait until the
 * mark is on the disk. So the vCPUs run, and it is the guest's disks that wait:
 * no request of theirs begins before the mark is there.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "block/block-io.h"
#include "block/block-global-state.h"
#include "block/thread-pool.h"
#include "hw/stubdomain/suspend-file-internal.h"
#include "hw/stubdomain/suspend-restore.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/lockable.h"

static int sync_mark(void *opaque)
{
    SuspendImage *image = opaque;

    if (fdatasync(image->fd) < 0) {
        return -errno;
    }
    qatomic_set(&image->mark_durable, true);
    return 0;
}

static void mark_synced(void *opaque, int ret)
{
    SuspendImage *image = opaque;

    if (ret < 0) {
        warn_report("removing suspend file '%s', which cannot be synced: %s",
                    image->path, strerror(-ret));
        /* An image without a name cannot be started either. */
        if (suspend_image_in_place(image)) {
            unlink(image->path);
        }
    }
    bdrv_drain_all_end();
    suspend_image_unref(image);
}

/* Until the mark is on the disk, hold back what the guest asks of its disks. */
static void hold_disks(SuspendImage *image)
{
    qatomic_set(&image->mark_durable, false);
    bdrv_drain_all_begin();
    thread_pool_submit_aio(sync_mark, suspend_image_ref(image), mark_synced,
                           image);
}

static off_t file_length(const SuspendImage *image)
{
    struct stat st;

    return fstat(image->fd, &st) == 0 ? st.st_size : 0;
}

bool suspend_file_check_readable(SuspendFile *file, Error **errp)
{
    return !file->image ||
           file->image->mark != SD_SUSPEND_MARK_SUSPENDED ||
           suspend_image_check_readable(file->image, errp);
}

void suspend_file_mark_live(SuspendFile *file)
{
    SuspendImage *image = file->image;
    Error *error = NULL;
    bool was_suspended = false;
    bool marked = true;

    suspend_file_cancel(file);
    suspend_eager_end(file);
    suspend_fault_forget();
    if (image) {
        image->length_awake = file_length(image);
        WITH_QEMU_LOCK_GUARD(&image->lock) {
            was_suspended = image->mark == SD_SUSPEND_MARK_SUSPENDED;
            if (image->mark != SD_SUSPEND_MARK_LIVE) {
                marked = suspend_image_set_mark(image, SD_SUSPEND_MARK_LIVE,
                                                &error);
            }
        }
        if (!marked) {
            /* An image without a name cannot be started either. */
            warn_reportf_err(error, "removing the suspend file: ");
            suspend_file_drop_image(file, false);
        } else if (was_suspended) {
            suspend_prefetch_begin_wake(file);
            hold_disks(image);
        }
    } else if (!file->consumed) {
        file->consumed = true;
        suspend_file_consume(file);
    }
}
