/*
 * Suspend file: one inode; opened, locked, marked, written.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/stubdomain/suspend-file-internal.h"
#include "qapi/error.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/memalign.h"
#include "qemu/uuid.h"
#include "system/system.h"

/* How often a file may vanish between its opening and its locking. */
#define OPEN_ATTEMPTS 8

static bool same_inode(const char *path, const struct stat *st)
{
    struct stat now;

    return lstat(path, &now) == 0 && now.st_dev == st->st_dev &&
           now.st_ino == st->st_ino;
}

static bool check_inode(const char *path, const struct stat *st, Error **errp)
{
    if (!S_ISREG(st->st_mode)) {
        error_setg(errp, "suspend file '%s' is not a regular file", path);
    } else if (st->st_uid != geteuid()) {
        error_setg(errp, "suspend file '%s' belongs to another user", path);
    } else if (st->st_nlink > 1) {
        error_setg(errp, "suspend file '%s' has another name as well", path);
    } else {
        return true;
    }
    return false;
}

/* Open and lock @path, with @create in @flags. Returns -1 with @errp set. */
static int open_locked(const char *path, int flags, struct stat *st,
                       Error **errp)
{
    for (int attempt = 0; attempt < OPEN_ATTEMPTS; attempt++) {
        /* O_NONBLOCK: whatever stands there must not hold us up. */
        int fd = open(path, flags | O_RDWR | O_NOFOLLOW | O_NONBLOCK |
                      O_NOCTTY | O_CLOEXEC, S_IRUSR | S_IWUSR);
        int ret;

        if (fd < 0) {
            if (errno == ELOOP) {
                error_setg(errp, "suspend file '%s' is a symbolic link", path);
            } else {
                error_setg_errno(errp, errno, "cannot open suspend file '%s'",
                                 path);
            }
            return -1;
        }
        if (fstat(fd, st) < 0) {
            error_setg_errno(errp, errno, "cannot examine suspend file '%s'",
                             path);
            close(fd);
            return -1;
        }
        if (!check_inode(path, st, errp)) {
            close(fd);
            return -1;
        }
        ret = qemu_lock_fd(fd, 0, 0, true);
        if (ret < 0) {
            if (ret == -EAGAIN || ret == -EACCES) {
                error_setg(errp, "suspend file '%s' is in use by another "
                           "process", path);
            } else {
                error_setg_errno(errp, -ret, "cannot lock suspend file '%s'",
                                 path);
            }
            close(fd);
            return -1;
        }
        /* Its former owner may have removed it while we got the lock. */
        if (same_inode(path, st)) {
            return fd;
        }
        close(fd);
    }
    error_setg(errp, "suspend file '%s' is replaced all the time", path);
    return -1;
}

static enum sd_suspend_mark read_mark(int fd)
{
    uint8_t mark[SD_SUSPEND_MARK_SIZE];

    if (pread(fd, mark, sizeof(mark), 0) != sizeof(mark)) {
        return SD_SUSPEND_MARK_NONE;
    }
    return sd_suspend_mark_decode(mark);
}

static enum sd_suspend_refusal read_header(int fd,
                                           struct sd_suspend_header *header)
{
    uint8_t data[SD_SUSPEND_HEADER_SIZE];

    if (pread(fd, data, sizeof(data), SD_SUSPEND_HEADER_OFFSET) !=
        sizeof(data)) {
        return SD_SUSPEND_NOT_OURS;
    }
    return sd_suspend_header_decode(data, header);
}

/* Whether what is in the file may be overwritten. */
static bool check_content(const SuspendFile *file, int fd,
                          const struct stat *st, Error **errp)
{
    struct sd_suspend_header header;
    enum sd_suspend_refusal refusal;

    if (st->st_size == 0) {
        return true;
    }
    refusal = read_header(fd, &header);
    if (refusal != SD_SUSPEND_OK) {
        error_setg(errp, "'%s' stands where the suspend file should be, and "
                   "%s; move or remove it", file->path,
                   sd_suspend_refusal_text(refusal));
        return false;
    }
    if (read_mark(fd) == SD_SUSPEND_MARK_SUSPENDED &&
        memcmp(header.image, file->descends, sizeof(header.image))) {
        error_setg(errp, "'%s' holds a suspended VM%s%s that nobody restored; "
                   "restore it with -incoming, or move or remove the file",
                   file->path, header.vm_name[0] ? " called " : "",
                   header.vm_name);
        return false;
    }
    return true;
}

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
    int fd = open_locked(file->path, O_CREAT, &st, errp);

    if (fd < 0) {
        return NULL;
    }
    if (!check_content(file, fd, &st, errp)) {
        close(fd);
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
    init_header(&image->header);

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
    if (image->direct_fd >= 0) {
        close(image->direct_fd);
    }
    close(image->fd);
    qemu_mutex_destroy(&image->writing);
    qemu_mutex_destroy(&image->lock);
    g_free(image->path);
    g_free(image);
}

bool suspend_image_in_place(const SuspendImage *image)
{
    struct stat st = { .st_dev = image->device, .st_ino = image->inode };

    return same_inode(image->path, &st);
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

void suspend_image_consume(SuspendFile *file)
{
    struct sd_suspend_header header;
    uint8_t live[SD_SUSPEND_MARK_SIZE];
    Error *error = NULL;
    struct stat st;
    int fd;

    if (buffer_is_zero(file->descends, sizeof(file->descends)) ||
        access(file->path, F_OK) < 0) {
        return;
    }
    fd = open_locked(file->path, 0, &st, &error);
    if (fd < 0) {
        warn_reportf_err(error, "a suspended VM may be started a second time "
                         "from its image: ");
        return;
    }
    if (read_header(fd, &header) == SD_SUSPEND_OK &&
        read_mark(fd) == SD_SUSPEND_MARK_SUSPENDED &&
        !memcmp(header.image, file->descends, sizeof(header.image))) {
        sd_suspend_mark_encode(SD_SUSPEND_MARK_LIVE, live);
        if (pwrite(fd, live, sizeof(live), 0) != sizeof(live)) {
            warn_report("'%s' could not be marked as used; "
                        "do not start a VM from it", file->path);
        }
        unlink(file->path);
    }
    close(fd);
}
