/*
 * Suspend file: writing and reading past the page cache, holes, syncing.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/stubdomain/suspend-file-internal.h"
#include "qapi/error.h"
#include "qemu/memalign.h"

/*
 * From this length on, reading and writing go past the page cache. Many short
 * writes are better collected there, for the disk to take them all at once.
 */
#define DIRECT_MIN (64 * KiB)

static bool use_direct_io(const SuspendImage *image, const void *data,
                          size_t length, uint64_t offset)
{
    size_t page = qemu_real_host_page_size();

    return qatomic_read(&image->direct) && !image->keep_cache &&
           length >= DIRECT_MIN && QEMU_PTR_IS_ALIGNED(data, page) &&
           QEMU_IS_ALIGNED(length, page) && QEMU_IS_ALIGNED(offset, page);
}

static bool write_all(SuspendImage *image, const void *data, size_t length,
                      uint64_t offset, Error **errp)
{
    const uint8_t *from = data;
    size_t done = 0;

    while (done < length) {
        bool direct = use_direct_io(image, from + done, length - done,
                                    offset + done);
        ssize_t ret = pwrite(direct ? image->direct_fd : image->fd,
                             from + done, length - done, offset + done);

        if (ret > 0) {
            done += ret;
        } else if (ret < 0 && direct && errno == EINVAL) {
            qatomic_set(&image->direct, false);
        } else if (ret == 0 || errno != EINTR) {
            error_setg_errno(errp, ret == 0 ? EIO : errno,
                             "cannot write suspend file '%s'", image->path);
            return false;
        }
    }
    if (length >= DIRECT_MIN &&
        (image->keep_cache || !qatomic_read(&image->direct))) {
        /* Begin early what suspend_image_sync() has to wait for. */
        sync_file_range(image->fd, offset, length, SYNC_FILE_RANGE_WRITE);
    }
    return true;
}

static bool is_encrypted(const SuspendImage *image, uint64_t offset)
{
    return image->cipher && offset >= SD_SUSPEND_BITMAPS_OFFSET;
}

static bool write_encrypted(SuspendImage *image, const uint8_t *data,
                            size_t length, uint64_t offset, Error **errp)
{
    size_t size = MIN(SUSPEND_CHUNK, ROUND_UP(length, SUSPEND_SECTOR));
    uint8_t *buffer = qemu_memalign(qemu_real_host_page_size(), size);
    bool ok = true;

    for (size_t done = 0; ok && done < length; done += size) {
        size_t part = MIN(size, length - done);
        size_t whole = ROUND_UP(part, SUSPEND_SECTOR);

        memcpy(buffer, data + done, part);
        memset(buffer + part, 0, whole - part);
        ok = suspend_cipher_encrypt(image->cipher, buffer, buffer, whole,
                                    offset + done, errp) &&
             write_all(image, buffer, whole, offset + done, errp);
    }
    qemu_vfree(buffer);
    return ok;
}

bool suspend_image_write(SuspendImage *image, const void *data, size_t length,
                         uint64_t offset, Error **errp)
{
    return is_encrypted(image, offset)
           ? write_encrypted(image, data, length, offset, errp)
           : write_all(image, data, length, offset, errp);
}

bool suspend_image_read(SuspendImage *image, void *data, size_t length,
                        uint64_t offset, Error **errp)
{
    uint8_t *to = data;
    size_t done = 0;

    while (done < length) {
        bool direct = use_direct_io(image, to + done, length - done,
                                    offset + done);
        ssize_t ret = pread(direct ? image->direct_fd : image->fd, to + done,
                            length - done, offset + done);

        if (ret > 0) {
            done += ret;
        } else if (ret < 0 && direct && errno == EINVAL) {
            qatomic_set(&image->direct, false);
        } else if (ret == 0 || errno != EINTR) {
            error_setg_errno(errp, ret == 0 ? EIO : errno,
                             "cannot read suspend file '%s'", image->path);
            return false;
        }
    }
    return !is_encrypted(image, offset) ||
           suspend_cipher_decrypt(image->cipher, data, length, offset, errp);
}

bool suspend_image_punch(SuspendImage *image, uint64_t offset, uint64_t length,
                         bool *done, Error **errp)
{
    *done = false;
    while (fallocate(image->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                     offset, length) < 0) {
        if (errno == EOPNOTSUPP || errno == ENOSYS) {
            return true;
        }
        if (errno != EINTR) {
            error_setg_errno(errp, errno, "cannot make a hole in suspend file "
                             "'%s'", image->path);
            return false;
        }
    }
    *done = true;
    return true;
}

bool suspend_image_sync(SuspendImage *image, Error **errp)
{
    if (fdatasync(image->fd) < 0) {
        error_setg_errno(errp, errno, "cannot sync suspend file '%s'",
                         image->path);
        return false;
    }
    return true;
}

bool suspend_image_sync_name(SuspendImage *image, Error **errp)
{
    g_autofree char *dir = g_path_get_dirname(image->path);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int ret = fd < 0 ? -1 : fsync(fd);

    if (ret < 0) {
        error_setg_errno(errp, errno, "cannot sync directory '%s'", dir);
    }
    if (fd >= 0) {
        close(fd);
    }
    return ret == 0;
}

void suspend_image_drop_cache(SuspendImage *image)
{
    posix_fadvise(image->fd, 0, 0, POSIX_FADV_DONTNEED);
}

bool suspend_image_check_readable(SuspendImage *image, Error **errp)
{
    size_t page = qemu_real_host_page_size();
    g_autofree uint8_t *buffer = NULL;
    uint8_t *data;
    struct stat st;

    if (fstat(image->fd, &st) == 0 &&
        st.st_size < image->header.file_length) {
        error_setg(errp, "suspend file '%s' was cut", image->path);
        return false;
    }
    if (image->keep_cache || !qatomic_read(&image->direct)) {
        return true;
    }
    buffer = g_malloc(2 * page);
    data = QEMU_ALIGN_PTR_UP(buffer, page);
    if (pread(image->direct_fd, data, page, 0) < 0) {
        error_setg_errno(errp, errno, "cannot read suspend file '%s'",
                         image->path);
        return false;
    }
    return true;
}
