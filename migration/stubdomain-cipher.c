/*
 * Suspend file: encryption of what is in it.
 *
 * AES-256 in XTS mode, as for a disk: the file is taken as sectors of 4 KiB, of
 * which those from the bitmaps on are encrypted, each with its number as the
 * tweak. The key comes from a secret object, by PBKDF2 with a salt of the file.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "crypto/cipher.h"
#include "crypto/pbkdf.h"
#include "crypto/random.h"
#include "crypto/secret_common.h"
#include "hw/stubdomain/suspend-cipher.h"
#include "qapi/error.h"
#include "qemu/bswap.h"

#define ALGORITHM QCRYPTO_CIPHER_ALGO_AES_256
#define HASH QCRYPTO_HASH_ALGO_SHA256
/* XTS takes two keys of 256 bits. */
#define KEY_SIZE 64
/* Makes guessing a poor secret slow; a good one needs none of it. */
#define ITERATIONS 600000
/* A file that asks for more is not ours. */
#define ITERATIONS_MAX (100 * ITERATIONS)

struct SuspendCipher {
    uint8_t key[KEY_SIZE];
};

bool suspend_cipher_check(Error **errp)
{
    if (!qcrypto_cipher_supports(ALGORITHM, QCRYPTO_CIPHER_MODE_XTS) ||
        !qcrypto_pbkdf2_supports(HASH)) {
        error_setg(errp, "this QEMU cannot encrypt suspend files: it was built "
                   "without a library for that");
        return false;
    }
    return true;
}

bool suspend_secret_get(const char *id, SuspendSecret *secret, Error **errp)
{
    return qcrypto_secret_lookup(id, &secret->data, &secret->length, errp) == 0;
}

void suspend_secret_clear(SuspendSecret *secret)
{
    if (secret->data) {
        explicit_bzero(secret->data, secret->length);
        g_free(secret->data);
    }
    *secret = (SuspendSecret) {};
}

/* The key, and what tells whether the secret is the right one. */
static SuspendCipher *derive(const SuspendSecret *secret,
                             const struct sd_suspend_encryption *parameters,
                             uint8_t *check, Error **errp)
{
    uint8_t derived[KEY_SIZE + SD_SUSPEND_CHECK_SIZE];
    SuspendCipher *cipher;

    if (qcrypto_pbkdf2(HASH, secret->data, secret->length, parameters->salt,
                       sizeof(parameters->salt), parameters->iterations,
                       derived, sizeof(derived), errp) < 0) {
        return NULL;
    }
    cipher = g_new(SuspendCipher, 1);
    memcpy(cipher->key, derived, KEY_SIZE);
    memcpy(check, derived + KEY_SIZE, SD_SUSPEND_CHECK_SIZE);
    explicit_bzero(derived, sizeof(derived));
    return cipher;
}

SuspendCipher *suspend_cipher_new(const SuspendSecret *secret,
                                  struct sd_suspend_encryption *parameters,
                                  Error **errp)
{
    parameters->iterations = ITERATIONS;
    if (qcrypto_random_bytes(parameters->salt, sizeof(parameters->salt),
                             errp) < 0) {
        return NULL;
    }
    return derive(secret, parameters, parameters->check, errp);
}

SuspendCipher *suspend_cipher_open(
    const SuspendSecret *secret,
    const struct sd_suspend_encryption *parameters, Error **errp)
{
    uint8_t check[SD_SUSPEND_CHECK_SIZE];
    SuspendCipher *cipher;

    if (parameters->iterations > ITERATIONS_MAX) {
        error_setg(errp, "its key is too expensive to find (%u iterations)",
                   parameters->iterations);
        return NULL;
    }
    cipher = derive(secret, parameters, check, errp);
    if (cipher && memcmp(check, parameters->check, sizeof(check))) {
        error_setg(errp, "the secret is not the one that it was encrypted "
                   "with");
        suspend_cipher_free(cipher);
        return NULL;
    }
    return cipher;
}

void suspend_cipher_free(SuspendCipher *cipher)
{
    if (cipher) {
        explicit_bzero(cipher, sizeof(*cipher));
        g_free(cipher);
    }
}

typedef int Transform(QCryptoCipher *cipher, const void *in, void *out,
                      size_t length, Error **errp);

static bool transform(const SuspendCipher *cipher, Transform *function,
                      const uint8_t *in, uint8_t *out, size_t length,
                      uint64_t offset, Error **errp)
{
    g_autoptr(QCryptoCipher) aes = qcrypto_cipher_new(
        ALGORITHM, QCRYPTO_CIPHER_MODE_XTS, cipher->key, KEY_SIZE, errp);

    for (size_t done = 0; aes && done < length; done += SUSPEND_SECTOR) {
        uint64_t tweak[2] = {
            cpu_to_le64((offset + done) / SUSPEND_SECTOR),
        };

        if (qcrypto_cipher_setiv(aes, (uint8_t *)tweak, sizeof(tweak),
                                 errp) < 0 ||
            function(aes, in + done, out + done, SUSPEND_SECTOR, errp) < 0) {
            return false;
        }
    }
    return aes;
}

bool suspend_cipher_encrypt(const SuspendCipher *cipher, const void *in,
                            void *out, size_t length, uint64_t offset,
                            Error **errp)
{
    return transform(cipher, qcrypto_cipher_encrypt, in, out, length, offset,
                     errp);
}

bool suspend_cipher_decrypt(const SuspendCipher *cipher, void *data,
                            size_t length, uint64_t offset, Error **errp)
{
    return transform(cipher, qcrypto_cipher_decrypt, data, data, length,
                     offset, errp);
}

/* Of one sector, the part from @offset on, or less at the end of the file. */
static ssize_t pread_sector(const SuspendCipher *cipher, int fd, uint8_t *data,
                            size_t length, uint64_t offset, Error **errp)
{
    uint64_t begin = QEMU_ALIGN_DOWN(offset, SUSPEND_SECTOR);
    uint8_t sector[SUSPEND_SECTOR];
    ssize_t ret = pread(fd, sector, sizeof(sector), begin);

    if (ret < 0) {
        error_setg_errno(errp, errno, "cannot read the suspend file");
        return -1;
    }
    if (ret < sizeof(sector)) {
        return 0;
    }
    if (!suspend_cipher_decrypt(cipher, sector, sizeof(sector), begin, errp)) {
        return -1;
    }
    length = MIN(length, begin + SUSPEND_SECTOR - offset);
    memcpy(data, sector + (offset - begin), length);
    return length;
}

ssize_t suspend_cipher_pread(const SuspendCipher *cipher, int fd, void *data,
                             size_t length, uint64_t offset, Error **errp)
{
    size_t done = 0;

    if (offset < SD_SUSPEND_BITMAPS_OFFSET) {
        ssize_t ret = pread(fd, data, MIN(length, SD_SUSPEND_BITMAPS_OFFSET -
                                                  offset), offset);

        if (ret < 0) {
            error_setg_errno(errp, errno, "cannot read the suspend file");
        }
        return ret;
    }
    while (done < length) {
        ssize_t ret = pread_sector(cipher, fd, (uint8_t *)data + done,
                                   length - done, offset + done, errp);

        if (ret < 0) {
            return -1;
        }
        if (ret == 0) {
            break;
        }
        done += ret;
    }
    return done;
}
