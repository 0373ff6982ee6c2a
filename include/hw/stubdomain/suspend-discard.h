/*
 * Suspend file: guest RAM that is discarded.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_STUBDOMAIN_SUSPEND_DISCARD_H
#define HW_STUBDOMAIN_SUSPEND_DISCARD_H

/*
 * The host pages [@host, @host + @length) are about to be discarded: see to it
 * that they read as zero afterwards, also where they are mapped from a suspend
 * file, which gives back their blocks. To be called right before private copies
 * are dropped with MADV_DONTNEED. Main loop.
 */
void suspend_file_discard(void *host, size_t length);

#endif
