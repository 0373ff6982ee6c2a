/*
 * Suspend file: the checksum of each page.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_STUBDOMAIN_SUSPEND_CHECKSUMS_H
#define HW_STUBDOMAIN_SUSPEND_CHECKSUMS_H

#include "hw/stubdomain/suspend-file-internal.h"

/* @image has got its layout. */
void suspend_checksums_init(SuspendImage *image);
void suspend_checksums_free(SuspendImage *image);
/* @count pages of @block are about to be written. Any thread. */
void suspend_checksums_note(SuspendImage *image, const SuspendBlock *block,
                            uint64_t first, size_t count);
/*
 * Whether @count pages, which were read into @data, are what was written. Any
 * thread.
 */
bool suspend_checksums_check(const SuspendImage *image,
                             const SuspendBlock *block, const uint8_t *data,
                             uint64_t first, size_t count, Error **errp);
/* Write those that changed since. The job's thread. */
bool suspend_checksums_write(SuspendImage *image, Error **errp);
/* A part of a file, to be freed; or NULL. */
typedef void *SuspendReadFunc(void *opaque, uint64_t offset, size_t length);
/*
 * Whether all pages of a file are what was written; if they have no checksums,
 * nobody can tell.
 */
bool suspend_checksums_check_file(const struct sd_suspend_header *header,
                                  const struct sd_suspend_index *index,
                                  SuspendReadFunc *read, void *opaque,
                                  Error **errp);

#endif
