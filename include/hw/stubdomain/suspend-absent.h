/*
 * Suspend file: guest RAM that is not there until somebody touches it.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_STUBDOMAIN_SUSPEND_ABSENT_H
#define HW_STUBDOMAIN_SUSPEND_ABSENT_H

/*
 * [@data, @data + @length), at least one byte, is about to be handed to a system
 * call, which may not be allowed to wait for it: see to it that it is there. For
 * any memory; any thread.
 */
void suspend_file_bring(const void *data, size_t length);

#endif
