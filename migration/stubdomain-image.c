/*
 * Suspend file: one inode, its header and its mark.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/stubdomain/suspend-checksums.h"
#include "hw/stubdomain/suspend-file-internal.h"
#include "qapi/error.h"
#include "qemu/cutils.h"
#include "qemu/memalign.h"
#include "qemu/uuid.h"
#include "system/system.h"

static void init_header(struct sd_suspend_header *header)
{
    memset(header, 0, sizeof(*header));
    QEMU_BUILD_BUG_ON(sizeof(header->vm) != sizeof(qemu_uuid));
    memcpy(header->vm, &qemu_uuid, sizeof(header->vm));
    if (qemu_name) {
        pstrcpy(header->vm_name, sizeof(header->vm_name), qemu_name);
    }
}

SuspendImage *suspend_image_open(SuspendFile *file, Error **errp)
{
    g_autofree char *reopen = NULL;
    SuspendImage *image;
    struct stat st;
    int fd = suspend_file_open(file, &st, errp);

    if (fd < 0) {
        return NULL;
    }
    image = g_new0(SuspendImage, 1);
    image->refs = 1;
    image->path = g_strdup(file->path);
    image->device = st.st_dev;
    image->inode = st.st_ino;
    image->fd = fd;
    reopen = g_strdup_printf("/proc/self/fd/%d", fd);
    image->direct_fd = open(reopen, O_RDWR | O_DIRECT | O_CLOEXEC);
    image->direct = image->direct_fd >= 0;
    image->first_page = qemu_memalign(qemu_real_host_page_size(),
                                      qemu_real_host_page_size());
    memset(image->first_page, 0, qemu_real_host_page_size());
    qemu_mutex_init(&image->writing);
    qemu_mutex_init(&image->lock);
    qemu_mutex_init(&image->prefetching);
    qemu_mutex_init(&image->restoring);
    qemu_sem_init(&image->prefetch_go, 0);
    init_header(&image->header);

    if (file->options->secret &&
        !suspend_secret_get(file->options->secret, &image->secret, errp)) {
        goto fail;
    }
    if (ftruncate(fd, 0) < 0 || fchmod(fd, S_IRUSR | S_IWUSR) < 0) {
        error_setg_errno(errp, errno, "cannot prepare suspend file '%s'",
                         file->path);
        goto fail;
    }
    if (!suspend_image_write_header(image, &image->header, errp) ||
        !suspend_image_set_mark(image, SD_SUSPEND_MARK_LIVE, errp)) {
        goto fail;
    }
    return image;

fail:
    unlink(image->path);
    suspend_image_unref(image);
    return NULL;
}

SuspendImage *suspend_image_ref(SuspendImage *image)
{
    qatomic_inc(&image->refs);
    return image;
}

void suspend_image_unref(SuspendImage *image)
{
    if (qatomic_fetch_dec(&image->refs) > 1) {
        return;
    }
    suspend_blocks_free(image->blocks, image->block_count);
    sd_suspend_layout_free(image->layout);
    qemu_vfree(image->bitmaps);
    qemu_vfree(image->first_page);
    suspend_checksums_free(image);
    suspend_secret_clear(&image->secret);
    suspend_cipher_free(image->cipher);
    if (image->direct_fd >= 0) {
        close(image->direct_fd);
    }
    close(image->fd);
    qemu_mutex_destroy(&image->writing);
    qemu_mutex_destroy(&image->lock);
    qemu_mutex_destroy(&image->prefetching);
    qemu_mutex_destroy(&image->restoring);
    qemu_sem_destroy(&image->prefetch_go);
    if (image->touched) {
        g_array_free(image->touched, true);
    }
    g_free(image->path);
    g_free(image);
}

bool suspend_image_in_place(const SuspendImage *image)
{
    struct stat now;

    return lstat(image->path, &now) == 0 && now.st_dev == image->device &&
           now.st_ino == image->inode;
}

bool suspend_image_write_header(SuspendImage *image,
                                const struct sd_suspend_header *header,
                                Error **errp)
{
    uint8_t data[SD_SUSPEND_HEADER_SIZE];

    sd_suspend_header_encode(header, data);
    return suspend_image_write(image, data, sizeof(data),
                               SD_SUSPEND_HEADER_OFFSET, errp);
}

void suspend_image_set_first_page(SuspendImage *image, const void *data,
                                  size_t length)
{
    memset(image->first_page, 0, qemu_real_host_page_size());
    memcpy(image->first_page, data, MIN(length, qemu_real_host_page_size()));
}

bool suspend_image_set_mark(SuspendImage *image, enum sd_suspend_mark mark,
                            Error **errp)
{
    sd_suspend_mark_encode(mark, image->first_page);
    if (!suspend_image_write(image, image->first_page,
                             qemu_real_host_page_size(), 0, errp)) {
        return false;
    }
    image->mark = mark;
    return true;
}
