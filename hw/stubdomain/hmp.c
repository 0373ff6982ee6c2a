/*
 * Stub domain: HMP commands.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/module.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-stubdomain.h"
#include "monitor/hmp.h"
#include "monitor/monitor.h"

static void print_stub(Monitor *mon, const StubdomainStubInfo *stub)
{
    monitor_printf(mon, "  stub %u of the %s: [%s]:%u <- [%s]:%u, %" PRIu64
                   " bytes", stub->stub,
                   StubdomainOwner_str(stub->owner),
                   stub->flow->guest->host, stub->flow->guest->port,
                   stub->flow->peer->host, stub->flow->peer->port,
                   stub->bytes);
    if (stub->wanted) {
        monitor_printf(mon, " of %" PRIu64, stub->wanted);
    }
    if (stub->has_timeout_left) {
        monitor_printf(mon, ", %" PRIu64 " ms left", stub->timeout_left);
    }
    monitor_printf(mon, "\n");
}

static void print_decision(Monitor *mon, const StubdomainDecision *decision)
{
    monitor_printf(mon, "  %" PRIu64 " ms ago: %s, because of %s",
                   decision->age, StubdomainDecided_str(decision->decided),
                   StubdomainWhy_str(decision->why));
    if (decision->registered) {
        monitor_printf(mon, "; %u of %u threads waited, %u had to",
                       decision->waiting, decision->registered,
                       decision->needed);
    }
    if (decision->answered) {
        monitor_printf(mon, "; %u of %u were answered, %u had to be",
                       decision->answered, decision->awaited,
                       decision->replies);
    }
    monitor_printf(mon, "\n");
}

static void hmp_info_stubdomain(Monitor *mon, const QDict *qdict)
{
    g_autoptr(StubdomainInfoList) list = qmp_query_stubdomain(&error_abort);
    g_autoptr(StubdomainStubInfoList) stubs = NULL;
    const StubdomainInfo *info;

    if (!list) {
        monitor_printf(mon, "no stubdomain-pci device\n");
        return;
    }
    info = list->value;
    monitor_printf(mon, "%s: %s, %s agent\n", info->device,
                   StubdomainState_str(info->state),
                   info->agent ? "with an" : "no");
    if (info->file) {
        monitor_printf(mon, "  file: %s\n", info->file);
    }
    monitor_printf(mon, "  guest memory: %" PRIu64 " of %" PRIu64
                   " bytes resident\n", info->resident, info->guest_ram);
    monitor_printf(mon, "  suspends: %u, idle: %u times, cancelled: %u, "
                   "restores: %u\n", info->suspends, info->idles,
                   info->cancelled, info->restores);
    monitor_printf(mon, "  last suspend: %" PRIu64 " bytes in %" PRIu64
                   " us, last wake: %" PRIu64 " us\n", info->bytes_written,
                   info->suspend_time, info->wake_time);
    monitor_printf(mon, "  flows: %u, bytes kept: %" PRIu64 "\n", info->flows,
                   info->kept);
    for (StubdomainDecisionList *decision = info->decisions; decision;
         decision = decision->next) {
        print_decision(mon, decision->value);
    }
    stubs = qmp_query_stubdomain_stubs(&error_abort);
    for (StubdomainStubInfoList *stub = stubs; stub; stub = stub->next) {
        print_stub(mon, stub->value);
    }
}

static void hmp_stubdomain_suspend(Monitor *mon, const QDict *qdict)
{
    Error *error = NULL;

    qmp_stubdomain_suspend(false, 0, &error);
    hmp_handle_error(mon, error);
}

static void hmp_stubdomain_restore(Monitor *mon, const QDict *qdict)
{
    Error *error = NULL;

    qmp_stubdomain_restore(&error);
    hmp_handle_error(mon, error);
}

static void register_commands(void)
{
    monitor_register_hmp("stubdomain", true, hmp_info_stubdomain);
    monitor_register_hmp("stubdomain_suspend", false, hmp_stubdomain_suspend);
    monitor_register_hmp("stubdomain_restore", false, hmp_stubdomain_restore);
}

type_init(register_commands);
