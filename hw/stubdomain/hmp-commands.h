/*
 * Entries for QEMU's table of HMP commands; hmp.c registers the functions.
 * Included inside the table, so without an include guard.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

    {
        .name       = "stubdomain_suspend",
        .args_type  = "",
        .params     = "",
        .help       = "suspend the VM: write its memory out and give it back",
    },
    {
        .name       = "stubdomain_restore",
        .args_type  = "",
        .params     = "",
        .help       = "restore the VM from a suspend",
    },
