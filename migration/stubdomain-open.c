/*
 * Suspend file: opening one, and what may already stand in its place.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <linux/magic.h>
#include <sys/vfs.h>
#include "hw/stubdomain/suspend-file-internal.h"
#include "qapi/error.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"

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

/*
 * A file in memory gives nothing back. Worse, its holes take memory when they
 * are read through a mapping, and where there is none left that is a SIGBUS.
 */
static bool check_file_system(const SuspendFile *file, Error **errp)
{
    struct statfs fs;

    if (statfs(file->dir, &fs) == 0 &&
        (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC)) {
        error_setg(errp, "directory '%s' is in memory (tmpfs), so a suspend "
                   "file there would not give any back", file->dir);
        return false;
    }
    return true;
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

int suspend_file_open(const SuspendFile *file, struct stat *st, Error **errp)
{
    int fd;

    if (!check_file_system(file, errp)) {
        return -1;
    }
    fd = open_locked(file->path, O_CREAT, st, errp);
    if (fd >= 0 && !check_content(file, fd, st, errp)) {
        close(fd);
        return -1;
    }
    return fd;
}

void suspend_file_consume(SuspendFile *file)
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
        if (pwrite(fd, live, sizeof(live), 0) != sizeof(live) ||
            fdatasync(fd) < 0) {
            warn_report("'%s' could not be marked as used; "
                        "do not start a VM from it", file->path);
        }
        unlink(file->path);
    }
    close(fd);
}
