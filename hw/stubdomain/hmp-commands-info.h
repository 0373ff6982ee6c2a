/*
 * Entry for QEMU's table of HMP "info" commands; hmp.c registers the function.
 * Included inside the table, so without an include guard.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

    {
        .name       = "stubdomain",
        .args_type  = "",
        .params     = "",
        .help       = "show the VM's stub domain",
        .flags      = "p",
    },
