/*
 * Suspend file: which guest RAM is saved, and whether it can be given back.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "exec/memory.h"
#include "exec/ramblock.h"
#include "exec/target_page.h"
#include "hw/boards.h"
#include "hw/stubdomain/suspend-file-internal.h"
#include "hw/stubdomain/suspend-memory.h"
#include "hw/stubdomain/suspend-restore.h"
#include "migration/misc.h"
#include "qapi/error.h"
#include "qemu/lockable.h"
#include "qemu/rcu_queue.h"
#include "system/hostmem.h"
#include "system/runstate.h"
#include "system/system.h"
#include "migration.h"
#include "options.h"

SuspendFileList suspend_files = QLIST_HEAD_INITIALIZER(suspend_files);

static QLIST_HEAD(, SuspendMapping) mappings =
    QLIST_HEAD_INITIALIZER(mappings);

bool suspend_check_machine(Error **errp)
{
    if (runstate_check(RUN_STATE_INMIGRATE)) {
        error_setg(errp, "the VM is still being loaded");
        return false;
    }
    if (migration_is_running()) {
        error_setg(errp, "a migration of the VM is in progress");
        return false;
    }
    if (migration_is_blocked(errp)) {
        return false;
    }
    if (migrate_dirty_bitmaps()) {
        error_setg(errp, "the migration capability 'dirty-bitmaps' is on, and "
                   "a suspend file cannot hold dirty bitmaps");
        return false;
    }
    if (qemu_target_page_size() != qemu_real_host_page_size()) {
        error_setg(errp, "guest and host have different page sizes");
        return false;
    }
    if (!suspend_pagemap_check(errp)) {
        return false;
    }
    if (should_mlock(mlock_state)) {
        error_setg(errp, "guest RAM is locked into memory "
                   "(-overcommit mem-lock)");
        return false;
    }
    if (ram_block_discard_is_disabled()) {
        error_setg(errp, "guest RAM is pinned, as for an assigned device");
        return false;
    }
    return true;
}

/* Why @rb cannot be mapped from the file; NULL: it can. */
static const char *unmappable_reason(RAMBlock *rb)
{
    if (rb->guest_memfd >= 0) {
        return "is private to a confidential guest";
    }
    if (memory_region_has_ram_discard_manager(rb->mr)) {
        return "is managed by a device such as virtio-mem";
    }
    if (qemu_ram_is_shared(rb)) {
        return "is shared with other processes (only plain anonymous memory "
               "can be given back)";
    }
    if (rb->fd >= 0) {
        return "is a file (only plain anonymous memory can be given back)";
    }
    if (rb->flags & (RAM_PREALLOC | RAM_READONLY)) {
        return "was not allocated as guest RAM";
    }
    if (qemu_ram_pagesize(rb) != qemu_real_host_page_size()) {
        return "uses huge pages";
    }
    return NULL;
}

static SuspendMapping *mapping_of(uint8_t *host)
{
    SuspendMapping *mapping;

    QLIST_FOREACH(mapping, &mappings, next) {
        if (mapping->host == host) {
            return mapping;
        }
    }
    mapping = g_new0(SuspendMapping, 1);
    mapping->host = host;
    QLIST_INSERT_HEAD_RCU(&mappings, mapping, next);
    return mapping;
}

SuspendMapping *suspend_mapping_at(const void *address)
{
    const uint8_t *at = address;
    SuspendMapping *mapping;

    QLIST_FOREACH_RCU(mapping, &mappings, next) {
        if (at >= mapping->host && at < mapping->host + mapping->backed) {
            return mapping;
        }
    }
    return NULL;
}

SuspendFile *suspend_file_of(const SuspendMapping *mapping)
{
    SuspendFile *file;

    QLIST_FOREACH(file, &suspend_files, next) {
        if (mapping && file->image && mapping->image == file->image) {
            return file;
        }
    }
    return NULL;
}

/* As QEMU has advised the kernel, for the machine and for the backend. */
static void set_flags(SuspendMapping *mapping, const RAMBlock *rb)
{
    Object *owner = memory_region_owner(rb->mr);

    mapping->mergeable = machine_mem_merge(current_machine);
    mapping->dump = machine_dump_guest_core(current_machine);
    if (owner && object_dynamic_cast(owner, TYPE_MEMORY_BACKEND)) {
        mapping->mergeable |= MEMORY_BACKEND(owner)->merge;
        mapping->dump &= MEMORY_BACKEND(owner)->dump;
    }
}

static bool block_get(RAMBlock *rb, SuspendBlock *block, Error **errp)
{
    bool map = qemu_ram_get_used_length(rb) >= SUSPEND_MAP_MIN;
    const char *reason = map ? unmappable_reason(rb) : NULL;

    if (reason) {
        error_setg(errp, "memory '%s' %s", qemu_ram_get_idstr(rb), reason);
        return false;
    }
    *block = (SuspendBlock) {
        .name = g_strdup(qemu_ram_get_idstr(rb)),
        .host = qemu_ram_get_host_addr(rb),
        .length = qemu_ram_get_used_length(rb),
    };
    if (map) {
        block->mapping = mapping_of(block->host);
        set_flags(block->mapping, rb);
    }
    return true;
}

SuspendBlock *suspend_blocks_get(bool checksums, sd_suspend_layout **layout,
                                 size_t *count, Error **errp)
{
    sd_suspend_layout *made = sd_suspend_layout_new(qemu_target_page_size(),
                                                    checksums);
    g_autoptr(GArray) blocks = g_array_new(false, false, sizeof(SuspendBlock));
    enum sd_suspend_refusal refusal;
    RAMBlock *rb;

    RCU_READ_LOCK_GUARD();
    RAMBLOCK_FOREACH(rb) {
        SuspendBlock block;

        if (!qemu_ram_is_migratable(rb)) {
            continue;
        }
        if (!block_get(rb, &block, errp)) {
            goto fail;
        }
        g_array_append_val(blocks, block);
        refusal = sd_suspend_layout_add(made, block.name, block.length);
        if (refusal != SD_SUSPEND_OK) {
            error_setg(errp, "memory '%s': %s", block.name,
                       sd_suspend_refusal_text(refusal));
            goto fail;
        }
    }
    *layout = made;
    *count = blocks->len;
    return (SuspendBlock *)g_array_free(g_steal_pointer(&blocks), false);

fail:
    sd_suspend_layout_free(made);
    *count = blocks->len;
    suspend_blocks_free(
        (SuspendBlock *)g_array_free(g_steal_pointer(&blocks), false), *count);
    return NULL;
}

void suspend_blocks_free(SuspendBlock *blocks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        g_free(blocks[i].name);
    }
    g_free(blocks);
}

void suspend_mappings_orphan(SuspendImage *image)
{
    SuspendMapping *mapping;

    QLIST_FOREACH(mapping, &mappings, next) {
        if (mapping->image == image) {
            mapping->image = NULL;
            mapping->mapped = 0;
        }
    }
}

void suspend_mappings_release(SuspendImage *image)
{
    SuspendMapping *mapping;

    QEMU_LOCK_GUARD(&image->lock);
    QLIST_FOREACH(mapping, &mappings, next) {
        if (mapping->image == image) {
            mapping->image = NULL;
            mapping->mapped = 0;
            mapping->backed = 0;
            mapping->patched = false;
            mapping->absent = false;
        }
    }
}

bool suspend_mappings_used(const SuspendImage *image)
{
    SuspendMapping *mapping;

    QLIST_FOREACH(mapping, &mappings, next) {
        if (mapping->image == image) {
            return true;
        }
    }
    return false;
}

static void ram_blocks_changed(void)
{
    SuspendFile *file;

    QLIST_FOREACH(file, &suspend_files, next) {
        file->stale = true;
        if (file->image) {
            QEMU_LOCK_GUARD(&file->image->lock);
            file->image->note_due = false;
        }
        if (file->job) {
            Error *error = NULL;

            error_setg(&error, "the VM's memory was changed");
            suspend_job_fail(file->job, error);
        }
        if (file->restore) {
            Error *error = NULL;

            error_setg(&error, "the VM's memory was changed");
            suspend_restore_fail(file->restore, error);
        }
    }
}

static void ram_block_removed(RAMBlockNotifier *n, void *host, size_t size,
                              size_t max_size)
{
    SuspendMapping *mapping;

    ram_blocks_changed();
    QLIST_FOREACH(mapping, &mappings, next) {
        if (mapping->host == host) {
            QLIST_REMOVE_RCU(mapping, next);
            g_free_rcu(mapping, rcu);
            break;
        }
    }
}

static void ram_block_resized(RAMBlockNotifier *n, void *host, size_t old_size,
                              size_t new_size)
{
    ram_blocks_changed();
}

void suspend_ram_init(void)
{
    static RAMBlockNotifier notifier = {
        .ram_block_removed = ram_block_removed,
        .ram_block_resized = ram_block_resized,
    };
    static bool added;

    if (!added) {
        ram_block_notifier_add(&notifier);
        added = true;
    }
}
