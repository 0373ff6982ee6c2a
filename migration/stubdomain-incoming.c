/*
 * Suspend file: looked at before a VM is loaded from it.
 *
 * QEMU's loader takes what it finds. A guest that is loaded from a damaged file
 * would run on wrong memory, so it is not loaded.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/stubdomain/suspend-checksums.h"
#include "hw/stubdomain/suspend-file-internal.h"
#include "hw/stubdomain/suspend-incoming.h"
#include "qapi/error.h"
#include "qemu/cutils.h"
#include "qemu/uuid.h"
#include "system/system.h"
#include "migration.h"
#include "options.h"

/* Of the file that was checked last; NULL: it is in the clear. */
static SuspendCipher *cipher;

/* All of [@offset, @offset + @length), or NULL. */
static void *read_part(int fd, uint64_t offset, size_t length)
{
    g_autofree uint8_t *data = g_try_malloc(length);

    for (size_t done = 0; data && done < length;) {
        ssize_t ret = cipher
            ? suspend_cipher_pread(cipher, fd, data + done, length - done,
                                   offset + done, NULL)
            : pread(fd, data + done, length - done, offset + done);

        if (ret <= 0) {
            return NULL;
        }
        done += ret;
    }
    return g_steal_pointer(&data);
}

static void *read_for_check(void *opaque, uint64_t offset, size_t length)
{
    return read_part(*(int *)opaque, offset, length);
}

static bool check_parts(int fd, const struct sd_suspend_header *header,
                        Error **errp)
{
    g_autofree struct sd_suspend_index *index =
        g_new(struct sd_suspend_index, 1);
    g_autofree void *data = NULL;

    if (!header->index_length) {
        return true;
    }
    if (header->index_length <= SD_SUSPEND_INDEX_MAX) {
        data = read_part(fd, header->index_offset, header->index_length);
    }
    if (!data ||
        sd_suspend_crc(data, header->index_length) != header->index_crc ||
        !sd_suspend_index_decode(data, header->index_length, header, index)) {
        error_setg(errp, "its index is damaged");
        return false;
    }
    for (size_t i = 0; i < index->part_count; i++) {
        const struct sd_suspend_part *part = &index->parts[i];
        g_autofree void *read = read_part(fd, part->offset, part->length);

        if (!read || sd_suspend_crc(read, part->length) != part->crc) {
            error_setg(errp, "it is damaged, somewhere from offset 0x%" PRIx64
                       " to 0x%" PRIx64, part->offset,
                       part->offset + part->length);
            return false;
        }
    }
    return suspend_checksums_check_file(header, index, read_for_check, &fd,
                                        errp);
}

static bool check_state(int fd, const struct sd_suspend_header *header,
                        Error **errp)
{
    g_autofree void *mark = read_part(fd, 0, SD_SUSPEND_MARK_SIZE);
    struct stat st;

    if (!mark || sd_suspend_mark_decode(mark) != SD_SUSPEND_MARK_SUSPENDED) {
        error_setg(errp, "its VM runs, or ran on, or the suspend was not "
                   "finished");
    } else if (qemu_lock_fd_test(fd, 0, 0, true) == -EAGAIN) {
        error_setg(errp, "the QEMU that suspended the VM still has it");
    } else if (qemu_uuid_set &&
               !buffer_is_zero(header->vm, sizeof(header->vm)) &&
               memcmp(header->vm, &qemu_uuid, sizeof(header->vm))) {
        error_setg(errp, "it is of another VM%s%s (the UUIDs differ)",
                   header->vm_name[0] ? ", called " : "", header->vm_name);
    } else if (fstat(fd, &st) < 0 || st.st_size < header->file_length) {
        error_setg(errp, "its end is missing");
    } else {
        return true;
    }
    return false;
}

static bool get_key(const struct sd_suspend_header *header, Error **errp)
{
    SuspendSecret secret = {};
    SuspendFile *file;

    if (!header->encryption.iterations) {
        return true;
    }
    QLIST_FOREACH(file, &suspend_files, next) {
        if (file->options->secret) {
            break;
        }
    }
    if (!file) {
        error_setg(errp, "it is encrypted, and no stubdomain-pci device has "
                   "an encryption-secret");
        return false;
    }
    if (migrate_multifd()) {
        error_setg(errp, "it is encrypted, so it cannot be loaded with the "
                   "capability 'multifd'");
        return false;
    }
    if (!suspend_secret_get(file->options->secret, &secret, errp)) {
        return false;
    }
    cipher = suspend_cipher_open(&secret, &header->encryption, errp);
    suspend_secret_clear(&secret);
    return cipher;
}

bool suspend_file_check_incoming(const char *path, Error **errp)
{
    struct sd_suspend_header header;
    enum sd_suspend_refusal refusal = SD_SUSPEND_NOT_OURS;
    g_autofree void *data = NULL;
    int fd = qemu_open_old(path, O_RDONLY);
    bool ok = true;

    g_clear_pointer(&cipher, suspend_cipher_free);
    if (fd < 0) {
        return true;
    }
    data = read_part(fd, SD_SUSPEND_HEADER_OFFSET, SD_SUSPEND_HEADER_SIZE);
    if (data) {
        refusal = sd_suspend_header_decode(data, &header);
    }
    if (refusal != SD_SUSPEND_OK && refusal != SD_SUSPEND_NOT_OURS) {
        error_setg(errp, "%s", sd_suspend_refusal_text(refusal));
        ok = false;
    } else if (refusal == SD_SUSPEND_OK) {
        ok = check_state(fd, &header, errp) && get_key(&header, errp) &&
             check_parts(fd, &header, errp);
    }
    if (!ok) {
        error_prepend(errp, "cannot load suspend file '%s': ", path);
    }
    qemu_close(fd);
    return ok;
}

QIOChannelFile *suspend_file_decrypt_incoming(QIOChannelFile *file)
{
    return cipher ? suspend_channel_new(file, g_steal_pointer(&cipher)) : file;
}
