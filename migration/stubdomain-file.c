/*
 * Suspend file: what the device calls, but for the writing itself.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <sys/statvfs.h>
#include "hw/stubdomain/suspend-checksums.h"
#include "hw/stubdomain/suspend-file-internal.h"
#include "hw/stubdomain/suspend-memory.h"
#include "hw/stubdomain/suspend-restore.h"
#include "migration/vmstate.h"
#include "qapi/error.h"
#include "qemu/cutils.h"
#include "qemu/uuid.h"
#include "qemu/memalign.h"
#include "system/runstate.h"
#include "system/system.h"

/* For device state, bitmaps and what the file system itself needs. */
#define SPACE_RESERVE (16 * MiB)
/* Bytes of a VM's name that go into the file's. */
#define VM_NAME_MAX 128

static const VMStateDescription vmstate_suspend_file = {
    .name = "stubdomain-suspend-file",
    .version_id = 1,
    .minimum_version_id = 1,
    .fields = (const VMStateField[]) {
        VMSTATE_UINT8_ARRAY(descends, SuspendFile, SD_SUSPEND_ID_SIZE),
        VMSTATE_END_OF_LIST()
    },
};

/*
 * "<VM>-<device>.suspend", so that VMs can share a directory: the VM's name, or
 * else its UUID, if it has either. A name that cannot be a file's is changed.
 */
static char *file_name(const char *device)
{
    g_autofree char *vm = NULL;

    if (qemu_name) {
        vm = g_strndup(qemu_name, VM_NAME_MAX);
        g_strdelimit(vm, "/", '_');
    } else if (qemu_uuid_set) {
        vm = qemu_uuid_unparse_strdup(&qemu_uuid);
    }
    return vm ? g_strdup_printf("%s-%s.suspend", vm, device)
              : g_strdup_printf("%s.suspend", device);
}

static void on_shutdown(Notifier *notifier, void *data)
{
    SuspendFile *file = container_of(notifier, SuspendFile, shutdown);

    file->shutdown_cause = *(ShutdownCause *)data;
}

bool suspend_file_check_options(const SuspendFileOptions *options,
                                Error **errp)
{
    SuspendSecret secret = {};

    if (!options->secret) {
        return true;
    }
    if (!options->eager) {
        error_setg(errp, "encryption-secret needs restore=eager, since memory "
                   "cannot be mapped from a file that is encrypted");
        return false;
    }
    if (!suspend_cipher_check(errp) || !suspend_absent_check(errp) ||
        !suspend_secret_get(options->secret, &secret, errp)) {
        return false;
    }
    suspend_secret_clear(&secret);
    return true;
}

SuspendFile *suspend_file_new(const char *dir, const char *name,
                              const SuspendFileOptions *options,
                              SuspendFileFault *fault, void *opaque)
{
    SuspendFile *file = g_new0(SuspendFile, 1);
    g_autofree char *base = file_name(name);

    file->dir = g_strdup(dir);
    file->name = g_strdup(name);
    file->path = g_build_filename(dir, base, NULL);
    file->options = options;
    file->fault = fault;
    file->opaque = opaque;
    file->note_timer = suspend_prefetch_timer_new(file);
    file->eager_timer = suspend_eager_timer_new(file);
    QLIST_INSERT_HEAD(&suspend_files, file, next);
    suspend_pagemap_init();
    suspend_ram_init();
    suspend_fault_init();
    vmstate_register_any(NULL, &vmstate_suspend_file, file);
    file->shutdown.notify = on_shutdown;
    qemu_register_shutdown_notifier(&file->shutdown);
    return file;
}

void suspend_file_drop_image(SuspendFile *file, bool keep_name)
{
    SuspendImage *image = file->image;

    if (!image) {
        return;
    }
    if (!keep_name && suspend_image_in_place(image)) {
        unlink(image->path);
    }
    suspend_eager_end(file);
    if (!suspend_mappings_used(image)) {
        suspend_absent_end(image);
    }
    suspend_prefetch_stop(image);
    suspend_mappings_orphan(image);
    suspend_image_unref(image);
    file->image = NULL;
}

/* Whether the VM goes on from the file once this QEMU is gone. */
static bool is_kept(const SuspendFile *file)
{
    return file->image && file->image->mark == SD_SUSPEND_MARK_SUSPENDED &&
           /* After a migration it goes on elsewhere. */
           !runstate_check(RUN_STATE_POSTMIGRATE) &&
           /* A signal switches it off, as it does a VM that runs. */
           (file->shutdown_cause == SHUTDOWN_CAUSE_NONE ||
            file->shutdown_cause == SHUTDOWN_CAUSE_HOST_QMP_QUIT);
}

void suspend_file_free(SuspendFile *file)
{
    suspend_file_cancel(file);
    suspend_file_drop_image(file, is_kept(file));
    vmstate_unregister(NULL, &vmstate_suspend_file, file);
    notifier_remove(&file->shutdown);
    QLIST_REMOVE(file, next);
    timer_free(file->note_timer);
    timer_free(file->eager_timer);
    g_free(file->dir);
    g_free(file->name);
    g_free(file->path);
    g_free(file);
}

const char *suspend_file_path(const SuspendFile *file)
{
    return file->path;
}

uint64_t suspend_file_bytes_written(const SuspendFile *file)
{
    return file->image ? file->image->bytes_written : 0;
}

/* A field of /proc/self/status, which is in KiB, in bytes; 0: none. */
static uint64_t status_field(const char *status, const char *field)
{
    const char *line = strstr(status, field);
    uint64_t kib = 0;

    if (line) {
        sscanf(line + strlen(field), "%" SCNu64, &kib);
    }
    return kib * KiB;
}

/*
 * A bound of what has to be written that costs little: all anonymous memory of
 * the process. Guest RAM that is mapped from the file does not count there.
 */
static uint64_t space_bound(const SuspendImage *image)
{
    g_autofree char *status = NULL;
    uint64_t total = 0;

    for (size_t i = 0; i < image->block_count; i++) {
        total += image->blocks[i].length;
    }
    if (g_file_get_contents("/proc/self/status", &status, NULL, NULL)) {
        total = MIN(total, status_field(status, "\nRssAnon:") +
                           status_field(status, "\nVmSwap:"));
    }
    return total + SPACE_RESERVE;
}

/* The same from the state of every page. */
static uint64_t space_needed(const SuspendImage *image)
{
    uint64_t total = 0;

    for (size_t i = 0; i < image->block_count; i++) {
        total += suspend_block_to_write(image, &image->blocks[i]);
    }
    return total + SPACE_RESERVE;
}

static bool check_space(const SuspendFile *file, Error **errp)
{
    struct statvfs fs;
    uint64_t available;
    uint64_t needed;

    if (fstatvfs(file->image->fd, &fs) < 0) {
        error_setg_errno(errp, errno, "cannot find out how much space '%s' has",
                         file->dir);
        return false;
    }
    available = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (available >= space_bound(file->image)) {
        return true;
    }
    needed = space_needed(file->image);
    if (available < needed) {
        g_autofree char *needed_text = size_to_str(needed);
        g_autofree char *available_text = size_to_str(available);

        error_setg(errp, "not enough space for the suspend file in '%s': "
                   "it may need %s, and %s are available", file->dir,
                   needed_text, available_text);
        return false;
    }
    return true;
}

/* Give @image, which is new, its layout. */
static void set_layout(SuspendImage *image, sd_suspend_layout *layout,
                       SuspendBlock *blocks, size_t count)
{
    uint64_t length = ROUND_UP(sd_suspend_bitmaps_length(layout),
                               qemu_real_host_page_size());
    uint8_t *bitmaps = qemu_memalign(qemu_real_host_page_size(), length);

    memset(bitmaps, 0, length);
    for (size_t i = 0; i < count; i++) {
        blocks[i].pages = sd_suspend_pages_offset(layout, i);
        blocks[i].bitmap =
            (unsigned long *)(bitmaps + sd_suspend_bitmap_offset(layout, i));
    }
    image->layout = layout;
    image->blocks = blocks;
    image->block_count = count;
    image->bitmaps = bitmaps;
    suspend_checksums_init(image);
}

static bool other_file_in_use(const SuspendFile *file)
{
    SuspendFile *other;

    QLIST_FOREACH(other, &suspend_files, next) {
        if (other != file && other->image) {
            return true;
        }
    }
    return false;
}

bool suspend_file_prepare(SuspendFile *file, Error **errp)
{
    sd_suspend_layout *layout;
    SuspendBlock *blocks;
    size_t count;

    if (file->job) {
        error_setg(errp, "the suspend file is being written");
        return false;
    }
    if (!*file->name || strchr(file->name, '/')) {
        error_setg(errp, "'%s' cannot be the name of a suspend file",
                   file->name);
        return false;
    }
    if (other_file_in_use(file)) {
        error_setg(errp, "the VM has another suspend file in use");
        return false;
    }
    if (!suspend_check_machine(errp) ||
        !suspend_file_check_options(file->options, errp)) {
        return false;
    }
    blocks = suspend_blocks_get(file->options->checksums, &layout, &count,
                                errp);
    if (!blocks) {
        return false;
    }

    /* Pages of other blocks, or of a removed file, need a new file. */
    if (file->image &&
        (file->stale || !suspend_image_in_place(file->image) ||
         !sd_suspend_layout_equal(file->image->layout, layout))) {
        if (file->image->cipher && suspend_mappings_used(file->image)) {
            error_setg(errp, "some memory is still in the former suspend file, "
                       "which is encrypted");
            suspend_blocks_free(blocks, count);
            sd_suspend_layout_free(layout);
            return false;
        }
        suspend_file_drop_image(file, false);
    }
    if (file->image) {
        suspend_blocks_free(blocks, count);
        sd_suspend_layout_free(layout);
    } else {
        file->image = suspend_image_open(file, errp);
        if (!file->image) {
            suspend_blocks_free(blocks, count);
            sd_suspend_layout_free(layout);
            return false;
        }
        set_layout(file->image, layout, blocks, count);
        file->stale = false;
    }
    if (!check_space(file, errp)) {
        if (!suspend_mappings_used(file->image)) {
            suspend_file_drop_image(file, false);
        }
        return false;
    }
    return true;
}

void suspend_file_expect_wake(SuspendFile *file)
{
    if (file->options->eager) {
        suspend_eager_expect(file);
    } else if (file->image) {
        suspend_prefetch_start(file->image);
    }
}
