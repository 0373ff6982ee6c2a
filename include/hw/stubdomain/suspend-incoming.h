/*
 * Suspend file: looked at before a VM is loaded from it.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_STUBDOMAIN_SUSPEND_INCOMING_H
#define HW_STUBDOMAIN_SUSPEND_INCOMING_H

#include "io/channel-file.h"
#include "qapi/error.h"

/*
 * Whether this VM can be loaded from the file at @path: false, with @errp set,
 * if that is a suspend file that is damaged, live, in use, or another VM's. Of
 * any other file nothing is said.
 */
bool suspend_file_check_incoming(const char *path, Error **errp);

/*
 * What the file that was just checked is to be read by: @file, or what takes
 * its place if the file is encrypted.
 */
QIOChannelFile *suspend_file_decrypt_incoming(QIOChannelFile *file);

#endif
