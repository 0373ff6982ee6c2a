/*
 * Tests of the stubdomain-pci device, by what a guest and a QMP client see.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "stubdomain/tests.h"

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add_registers_tests();
    add_mailbox_tests();
    add_setup_tests();
    add_waits_tests();
    add_detached_tests();
    add_suspend_tests();
    add_migration_tests();
    return g_test_run();
}
