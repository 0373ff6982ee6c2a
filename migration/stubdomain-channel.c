/*
 * Suspend file: the channel by which QEMU loads a file that is encrypted.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/stubdomain/suspend-cipher.h"
#include "qapi/error.h"
#include "qemu/module.h"

#define TYPE_SUSPEND_CHANNEL "stubdomain-suspend-channel"
OBJECT_DECLARE_SIMPLE_TYPE(SuspendChannel, SUSPEND_CHANNEL)

struct SuspendChannel {
    QIOChannelFile parent_obj;

    SuspendCipher *cipher;
};

/* One piece of @iov is enough: a short read is no error. */
static ssize_t channel_preadv(QIOChannel *ioc, const struct iovec *iov,
                              size_t niov, off_t offset, Error **errp)
{
    return suspend_cipher_pread(SUSPEND_CHANNEL(ioc)->cipher,
                                QIO_CHANNEL_FILE(ioc)->fd, iov[0].iov_base,
                                iov[0].iov_len, offset, errp);
}

static ssize_t channel_readv(QIOChannel *ioc, const struct iovec *iov,
                             size_t niov, int **fds, size_t *nfds, int flags,
                             Error **errp)
{
    off_t offset = qio_channel_io_seek(ioc, 0, SEEK_CUR, errp);
    ssize_t ret = offset < 0 ? -1 : channel_preadv(ioc, iov, niov, offset,
                                                   errp);

    if (ret > 0 && qio_channel_io_seek(ioc, ret, SEEK_CUR, errp) < 0) {
        return -1;
    }
    return ret;
}

QIOChannelFile *suspend_channel_new(QIOChannelFile *file,
                                    SuspendCipher *cipher)
{
    SuspendChannel *channel = SUSPEND_CHANNEL(object_new(TYPE_SUSPEND_CHANNEL));

    channel->cipher = cipher;
    channel->parent_obj.fd = file->fd;
    file->fd = -1;
    object_unref(OBJECT(file));
    qio_channel_set_feature(QIO_CHANNEL(channel), QIO_CHANNEL_FEATURE_SEEKABLE);
    return QIO_CHANNEL_FILE(channel);
}

static void channel_finalize(Object *obj)
{
    suspend_cipher_free(SUSPEND_CHANNEL(obj)->cipher);
}

static void channel_class_init(ObjectClass *klass, void *data)
{
    QIOChannelClass *ioc = QIO_CHANNEL_CLASS(klass);

    ioc->io_readv = channel_readv;
    ioc->io_preadv = channel_preadv;
}

static const TypeInfo channel_types[] = {
    {
        .name = TYPE_SUSPEND_CHANNEL,
        .parent = TYPE_QIO_CHANNEL_FILE,
        .instance_size = sizeof(SuspendChannel),
        .instance_finalize = channel_finalize,
        .class_init = channel_class_init,
    },
};

DEFINE_TYPES(channel_types)
