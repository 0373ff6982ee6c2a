/*
 * Suspend file: what is encrypted.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_STUBDOMAIN_SUSPEND_CIPHER_H
#define HW_STUBDOMAIN_SUSPEND_CIPHER_H

#include "qemu/units.h"
#include "io/channel-file.h"
#include "stubdomain/suspend.h"

/* What is encrypted is so in pieces of this size. */
#define SUSPEND_SECTOR (4 * KiB)

typedef struct SuspendCipher SuspendCipher;

typedef struct SuspendSecret {
    uint8_t *data;
    size_t length;
} SuspendSecret;

/* -- stubdomain-cipher.c -- */

/* Whether this QEMU can encrypt. */
bool suspend_cipher_check(Error **errp);
/* What the secret object @id holds. Clear it with suspend_secret_clear(). */
bool suspend_secret_get(const char *id, SuspendSecret *secret, Error **errp);
void suspend_secret_clear(SuspendSecret *secret);
/* For a new file: fills in @parameters. Takes part of a second. Any thread. */
SuspendCipher *suspend_cipher_new(const SuspendSecret *secret,
                                  struct sd_suspend_encryption *parameters,
                                  Error **errp);
/* For a file that is there; fails if @secret is not its secret. */
SuspendCipher *suspend_cipher_open(
    const SuspendSecret *secret,
    const struct sd_suspend_encryption *parameters, Error **errp);
void suspend_cipher_free(SuspendCipher *cipher);
/*
 * Whole sectors, which are at @offset in the file. Any thread, here and
 * below.
 */
bool suspend_cipher_encrypt(const SuspendCipher *cipher, const void *in,
                            void *out, size_t length, uint64_t offset,
                            Error **errp);
bool suspend_cipher_decrypt(const SuspendCipher *cipher, void *data,
                            size_t length, uint64_t offset, Error **errp);
/* As pread(), of any part of the file, in the clear. */
ssize_t suspend_cipher_pread(const SuspendCipher *cipher, int fd, void *data,
                             size_t length, uint64_t offset, Error **errp);

/* -- stubdomain-channel.c -- */

/*
 * What takes the place of @file, and of the caller's references to it and
 * @cipher.
 */
QIOChannelFile *suspend_channel_new(QIOChannelFile *file,
                                    SuspendCipher *cipher);

#endif
