/*
 * Stub domain: QMP commands of a QEMU that was built without the device.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-stubdomain.h"
#include "hw/stubdomain/suspend-absent.h"
#include "hw/stubdomain/suspend-discard.h"
#include "hw/stubdomain/suspend-incoming.h"

static void no_device(Error **errp)
{
    error_setg(errp, "this QEMU was built without stubdomain-pci");
}

StubdomainInfoList *qmp_query_stubdomain(Error **errp)
{
    return NULL;
}

StubdomainStubInfoList *qmp_query_stubdomain_stubs(Error **errp)
{
    return NULL;
}

StubdomainStubId *qmp_stubdomain_listen(StubdomainFlow *flow,
                                        bool has_accept,
                                        StubdomainAccept accept,
                                        bool has_guest_port,
                                        uint16_t guest_port,
                                        bool has_received, uint64_t received,
                                        bool has_timeout, uint32_t timeout,
                                        StubdomainPlan *plan,
                                        bool has_suspend, bool suspend,
                                        bool has_thread, uint32_t thread,
                                        bool has_importance,
                                        uint8_t importance,
                                        bool has_elapsed, uint32_t elapsed,
                                        bool has_expected, uint32_t expected,
                                        const char *q_class,
                                        const char *application,
                                        bool has_depth, StubdomainDepth depth,
                                        bool has_evict_delay,
                                        uint32_t evict_delay,
                                        StubdomainBuffer *buffer,
                                        Error **errp)
{
    no_device(errp);
    return NULL;
}

void qmp_stubdomain_unlisten(uint32_t stub, Error **errp)
{
    no_device(errp);
}

void qmp_stubdomain_connect(StubdomainFlow *flow, uint16_t guest_port,
                            Error **errp)
{
    no_device(errp);
}

void qmp_stubdomain_suspend(bool has_depth, StubdomainDepth depth, Error **errp)
{
    no_device(errp);
}

void qmp_stubdomain_restore(Error **errp)
{
    no_device(errp);
}

void qmp_stubdomain_inhibit(Error **errp)
{
    no_device(errp);
}

void qmp_stubdomain_allow(Error **errp)
{
    no_device(errp);
}

bool suspend_file_check_incoming(const char *path, Error **errp)
{
    return true;
}

QIOChannelFile *suspend_file_decrypt_incoming(QIOChannelFile *file)
{
    return file;
}

void suspend_file_bring(const void *data, size_t length)
{
}

void suspend_file_discard(void *host, size_t length)
{
}
