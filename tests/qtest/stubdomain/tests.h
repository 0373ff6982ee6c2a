/*
 * The stubdomain-pci tests, one group per file.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_QTEST_STUBDOMAIN_TESTS_H
#define TESTS_QTEST_STUBDOMAIN_TESTS_H

void add_registers_tests(void);
void add_mailbox_tests(void);
void add_setup_tests(void);
void add_waits_tests(void);
void add_detached_tests(void);
void add_suspend_tests(void);
void add_migration_tests(void);

#endif
