/*
 * Stub domain: between QAPI's types and the core's.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <arpa/inet.h>
#include "qapi/error.h"
#include "hw/stubdomain/stubdomain.h"

/* The enumerations of both sides are declared in the same order. */
QEMU_BUILD_BUG_ON((int)STUBDOMAIN_STATE_SUSPENDED != (int)SD_SUSPENDED);
QEMU_BUILD_BUG_ON((int)STUBDOMAIN_OUTCOME_CANCELLED != (int)SD_CANCELLED);
QEMU_BUILD_BUG_ON((int)STUBDOMAIN_RESTORE_REASON_HOST != (int)SD_REASON_HOST);
QEMU_BUILD_BUG_ON((int)STUBDOMAIN_UNMATCHED_RESTORE !=
                  (int)SD_UNMATCHED_RESTORE);
QEMU_BUILD_BUG_ON((int)STUBDOMAIN_OWNER_HOST != (int)SD_OWNER_HOST);

static bool endpoint_from_qapi(const StubdomainEndpoint *endpoint,
                               const char *name, struct sd_address *out,
                               Error **errp)
{
    memset(out, 0, sizeof(*out));
    if (inet_pton(AF_INET, endpoint->host, out->bytes) == 1) {
        out->family = 4;
    } else if (inet_pton(AF_INET6, endpoint->host, out->bytes) == 1) {
        out->family = 6;
    } else {
        error_setg(errp, "flow.%s.host: '%s' is not a numeric IPv4 or IPv6 "
                   "address", name, endpoint->host);
        return false;
    }
    if (endpoint->port == 0) {
        error_setg(errp, "flow.%s.port: must be 1 to 65535", name);
        return false;
    }
    out->port = endpoint->port;
    return true;
}

bool stubdomain_wait_from_qapi(const StubdomainWait *wait, enum sd_owner owner,
                               struct sd_wait *out, Error **errp)
{
    memset(out, 0, sizeof(*out));
    out->owner = owner;
    if (!endpoint_from_qapi(wait->flow->peer, "peer", &out->flow.peer, errp)) {
        return false;
    }
    if (wait->flow->guest) {
        if (!endpoint_from_qapi(wait->flow->guest, "guest", &out->flow.guest,
                                errp)) {
            return false;
        }
        if (out->flow.guest.family != out->flow.peer.family) {
            error_setg(errp, "flow.guest.host: not of the address family of "
                       "flow.peer.host");
            return false;
        }
    }
    out->has_received = wait->has_received;
    out->received = wait->received;
    out->timeout_ms = wait->timeout;
    out->bytes = 1;
    if (wait->plan && wait->plan->has_bytes) {
        /* QEMU's visitor takes a negative number for a very large one. */
        if (wait->plan->bytes == 0 || wait->plan->bytes > INT64_MAX) {
            error_setg(errp, "plan.bytes: must be 1 to %" PRId64, INT64_MAX);
            return false;
        }
        out->bytes = wait->plan->bytes;
    }
    out->suspend = wait->has_suspend ? wait->suspend : owner == SD_OWNER_GUEST;
    return true;
}

static StubdomainEndpoint *endpoint_to_qapi(const struct sd_address *address)
{
    StubdomainEndpoint *endpoint = g_new0(StubdomainEndpoint, 1);
    char text[INET6_ADDRSTRLEN];

    inet_ntop(address->family == 6 ? AF_INET6 : AF_INET, address->bytes, text,
              sizeof(text));
    endpoint->host = g_strdup(text);
    endpoint->port = address->port;
    return endpoint;
}

StubdomainFlow *stubdomain_flow_to_qapi(const struct sd_flow_id *flow)
{
    StubdomainFlow *converted = g_new0(StubdomainFlow, 1);

    converted->has_protocol = true;
    converted->protocol = STUBDOMAIN_PROTOCOL_TCP;
    converted->guest = endpoint_to_qapi(&flow->guest);
    converted->peer = endpoint_to_qapi(&flow->peer);
    return converted;
}

StubdomainStubInfoList *stubdomain_stubs_to_qapi(StubdomainPCI *dev, size_t max)
{
    StubdomainStubInfoList *list = NULL, **tail = &list;
    uint64_t now = stubdomain_now();
    size_t count = MIN(sd_get_stubs(dev->core, now, NULL, 0), max);
    g_autofree struct sd_stub_info *stubs = g_new(struct sd_stub_info, count);

    sd_get_stubs(dev->core, now, stubs, count);
    for (size_t i = 0; i < count; i++) {
        StubdomainStubInfo *info = g_new0(StubdomainStubInfo, 1);

        info->stub = stubs[i].stub;
        info->owner = (StubdomainOwner)stubs[i].owner;
        info->flow = stubdomain_flow_to_qapi(&stubs[i].flow);
        info->bytes = stubs[i].bytes;
        info->wanted = stubs[i].wanted;
        info->has_timeout_left = stubs[i].timeout_left_ms != SD_NEVER;
        if (info->has_timeout_left) {
            info->timeout_left = stubs[i].timeout_left_ms;
        }
        QAPI_LIST_APPEND(tail, info);
    }
    return list;
}
