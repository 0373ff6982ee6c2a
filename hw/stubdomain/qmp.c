/*
 * Stub domain: QMP commands.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-stubdomain.h"
#include "hw/stubdomain/stubdomain.h"

static bool refused(enum sd_refusal refusal, Error **errp)
{
    if (refusal == SD_OK) {
        return false;
    }
    error_setg(errp, "%s", sd_refusal_text(refusal));
    return true;
}

StubdomainInfoList *qmp_query_stubdomain(Error **errp)
{
    StubdomainPCI *dev = stubdomain_find(NULL);
    StubdomainInfoList *list = NULL;
    StubdomainInfo *info;
    SuspendFileFigures figures = { };
    struct sd_info core;

    if (!dev) {
        return NULL;
    }
    sd_get_info(dev->core, &core);
    info = g_new0(StubdomainInfo, 1);
    info->device = g_strdup(stubdomain_name(dev));
    info->state = (StubdomainState)core.state;
    info->agent = core.agent;
    if (dev->file) {
        info->file = g_strdup(suspend_file_path(dev->file));
        suspend_file_figures(dev->file, &figures);
    }
    info->guest_ram = figures.guest_ram;
    info->resident = figures.resident;
    info->bytes_written = figures.bytes_written;
    info->suspends = dev->figures.suspends;
    info->cancelled = dev->figures.cancelled;
    info->restores = dev->figures.restores;
    info->idles = dev->figures.idles;
    info->suspend_time = dev->figures.suspend_us;
    info->wake_time = dev->figures.wake_us;
    info->has_wake_reason = dev->figures.restores || dev->figures.cancelled;
    info->wake_reason = (StubdomainRestoreReason)dev->figures.wake_reason;
    info->flows = core.flows;
    info->kept = core.kept;
    info->stubs = core.stubs;
    info->threads = stubdomain_threads_to_qapi(dev);
    info->guest_inhibits = core.guest_inhibits;
    info->host_inhibits = core.host_inhibits;
    info->decisions = stubdomain_decisions_to_qapi(dev, false);
    info->given_back = stubdomain_given_back_to_qapi(dev);
    info->learned = core.learned;
    QAPI_LIST_PREPEND(list, info);
    return list;
}

StubdomainStubInfoList *qmp_query_stubdomain_stubs(Error **errp)
{
    StubdomainPCI *dev = stubdomain_find(NULL);

    return dev ? stubdomain_stubs_to_qapi(dev, SIZE_MAX) : NULL;
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
    const StubdomainWait wait = {
        .flow = flow,
        .has_accept = has_accept,
        .accept = accept,
        .has_guest_port = has_guest_port,
        .guest_port = guest_port,
        .has_received = has_received,
        .received = received,
        .has_timeout = has_timeout,
        .timeout = timeout,
        .plan = plan,
        .has_suspend = has_suspend,
        .suspend = suspend,
        .has_thread = has_thread,
        .thread = thread,
        .has_importance = has_importance,
        .importance = importance,
        .has_elapsed = has_elapsed,
        .elapsed = elapsed,
        .has_expected = has_expected,
        .expected = expected,
        .q_class = (char *)q_class,
        .application = (char *)application,
        .has_depth = has_depth,
        .depth = depth,
        .has_evict_delay = has_evict_delay,
        .evict_delay = evict_delay,
        .buffer = buffer,
    };
    StubdomainPCI *dev = stubdomain_find(errp);
    StubdomainStubId *id;
    struct sd_wait converted;
    enum sd_refusal refusal;
    uint32_t number;

    if (!dev ||
        !stubdomain_wait_from_qapi(dev, &wait, SD_OWNER_HOST, &converted,
                                   errp)) {
        return NULL;
    }
    stubdomain_read_pressure(dev);
    refusal = sd_wait_for(dev->core, &converted, stubdomain_now(), &number);
    stubdomain_wait_clear(&converted);
    if (refused(refusal, errp)) {
        return NULL;
    }
    stubdomain_kick(dev);
    id = g_new0(StubdomainStubId, 1);
    id->stub = number;
    return id;
}

void qmp_stubdomain_unlisten(uint32_t stub, Error **errp)
{
    StubdomainPCI *dev = stubdomain_find(errp);

    if (dev && !refused(sd_cancel(dev->core, SD_OWNER_HOST, stub,
                                  stubdomain_now()), errp)) {
        stubdomain_kick(dev);
    }
}

void qmp_stubdomain_connect(StubdomainFlow *flow, uint16_t guest_port,
                            Error **errp)
{
    StubdomainPCI *dev = stubdomain_find(errp);
    struct sd_flow_id converted;

    if (dev && stubdomain_flow_from_qapi(flow, &converted, errp) &&
        !refused(sd_connect_guest(dev->core, &converted, guest_port,
                                  stubdomain_now()), errp)) {
        stubdomain_kick(dev);
    }
}

void qmp_stubdomain_suspend(bool has_depth, StubdomainDepth depth, Error **errp)
{
    StubdomainPCI *dev = stubdomain_find(errp);
    enum sd_depth wanted = has_depth ? (enum sd_depth)depth : SD_DEPTH_EVICT;

    if (dev && stubdomain_can_suspend(dev, wanted != SD_DEPTH_IDLE, errp) &&
        !refused(sd_suspend(dev->core, wanted, stubdomain_now()), errp)) {
        stubdomain_kick(dev);
    }
}

void qmp_stubdomain_restore(Error **errp)
{
    StubdomainPCI *dev = stubdomain_find(errp);

    if (dev && stubdomain_retry_wake(dev)) {
        return;
    }
    if (dev && suspend_fault_stopped()) {
        vm_start();
        return;
    }
    if (dev && !refused(sd_restore(dev->core, stubdomain_now()), errp)) {
        stubdomain_kick(dev);
    }
}

void qmp_stubdomain_inhibit(Error **errp)
{
    StubdomainPCI *dev = stubdomain_find(errp);

    if (dev && !refused(sd_inhibit(dev->core, SD_OWNER_HOST, stubdomain_now()),
                        errp)) {
        stubdomain_kick(dev);
    }
}

void qmp_stubdomain_allow(Error **errp)
{
    StubdomainPCI *dev = stubdomain_find(errp);

    if (dev && !refused(sd_allow(dev->core, SD_OWNER_HOST, stubdomain_now()),
                        errp)) {
        stubdomain_kick(dev);
    }
}
