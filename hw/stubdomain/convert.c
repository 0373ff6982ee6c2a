/*
 * Stub domain: between QAPI's types and the core's.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <arpa/inet.h>
#include "qapi/error.h"
#include "qemu/cutils.h"
#include "qapi/qapi-visit-stubdomain.h"
#include "qapi/qobject-output-visitor.h"
#include "qobject/qjson.h"
#include "qobject/qobject.h"
#include "hw/stubdomain/stubdomain.h"

/* The enumerations of both sides are declared in the same order. */
QEMU_BUILD_BUG_ON((int)STUBDOMAIN_STATE_IDLE != (int)SD_IDLE);
QEMU_BUILD_BUG_ON((int)STUBDOMAIN_DEPTH_AUTO != (int)SD_DEPTH_AUTO);
QEMU_BUILD_BUG_ON((int)STUBDOMAIN_OUTCOME_CANCELLED != (int)SD_CANCELLED);
QEMU_BUILD_BUG_ON((int)STUBDOMAIN_RESTORE_REASON_HOST != (int)SD_REASON_HOST);
QEMU_BUILD_BUG_ON((int)STUBDOMAIN_UNMATCHED_RESTORE !=
                  (int)SD_UNMATCHED_RESTORE);
QEMU_BUILD_BUG_ON((int)STUBDOMAIN_OWNER_HOST != (int)SD_OWNER_HOST);
QEMU_BUILD_BUG_ON((int)STUBDOMAIN_PROTOCOL_UDP != (int)SD_UDP);
QEMU_BUILD_BUG_ON((int)STUBDOMAIN_DECIDED_EVICT != (int)SD_DECIDED_EVICT);
QEMU_BUILD_BUG_ON((int)STUBDOMAIN_WHY_CONNECTIONS != (int)SD_WHY_CONNECTIONS);

/* "192.0.2.1", or with a prefix: "192.0.2.0/24". */
static bool host_from_text(const char *host, struct sd_address *out)
{
    g_auto(GStrv) parts = g_strsplit(host, "/", 2);
    unsigned bits = 0;

    if (!parts[0]) {
        return false; /* the text is empty */
    }
    if (inet_pton(AF_INET, parts[0], out->bytes) == 1) {
        out->family = 4;
    } else if (inet_pton(AF_INET6, parts[0], out->bytes) == 1) {
        out->family = 6;
    } else {
        return false;
    }
    if (!parts[1]) {
        return true;
    }
    if (qemu_strtoui(parts[1], NULL, 10, &bits) < 0 || bits == 0 ||
        bits > (out->family == 4 ? 32 : 128)) {
        return false;
    }
    out->prefix = bits;
    return true;
}

static bool endpoint_from_qapi(const StubdomainEndpoint *endpoint,
                               const char *name, struct sd_address *out,
                               Error **errp)
{
    memset(out, 0, sizeof(*out));
    if (!endpoint) {
        return true;
    }
    if (!endpoint->host) {
        out->family = 0;
    } else if (!host_from_text(endpoint->host, out)) {
        error_setg(errp, "flow.%s.host: '%s' is not a numeric IPv4 or IPv6 "
                   "address", name, endpoint->host);
        return false;
    }
    if (endpoint->has_port && endpoint->port == 0) {
        error_setg(errp, "flow.%s.port: must be 1 to 65535", name);
        return false;
    }
    out->port = endpoint->port;
    return true;
}

static bool check_named(const struct sd_address *address, const char *name,
                        Error **errp)
{
    if (address->port == 0) {
        error_setg(errp, "flow.%s.port: must be named", name);
        return false;
    }
    return true;
}

static bool ends_from_qapi(const StubdomainFlow *flow, struct sd_flow_id *out,
                           Error **errp)
{
    if (!endpoint_from_qapi(flow->guest, "guest", &out->guest, errp) ||
        !endpoint_from_qapi(flow->peer, "peer", &out->peer, errp)) {
        return false;
    }
    if (flow->nic >= SD_MAX_NICS) {
        error_setg(errp, "flow.nic: must be 0 to %d", SD_MAX_NICS - 1);
        return false;
    }
    if (out->guest.family && out->peer.family &&
        out->guest.family != out->peer.family) {
        error_setg(errp, "flow.guest.host: not of the address family of "
                   "flow.peer.host");
        return false;
    }
    return true;
}

bool stubdomain_flow_from_qapi(const StubdomainFlow *flow,
                               struct sd_flow_id *out, Error **errp)
{
    if (flow->protocol != STUBDOMAIN_PROTOCOL_TCP) {
        error_setg(errp, "flow.protocol: must be tcp");
        return false;
    }
    if (flow->has_nic || (flow->peer && flow->peer->host &&
                          strchr(flow->peer->host, '/'))) {
        error_setg(errp, "flow: must name one connection");
        return false;
    }
    if (!ends_from_qapi(flow, out, errp)) {
        return false;
    }
    if (out->peer.family == 0) {
        error_setg(errp, "flow.peer.host: must be named");
        return false;
    }
    return check_named(&out->peer, "peer", errp);
}

static bool awaited_from_qapi(const StubdomainWait *wait, struct sd_wait *out,
                              Error **errp)
{
    const StubdomainFlow *flow = wait->flow;
    struct sd_address *guest = &out->flow.guest;

    if (!ends_from_qapi(flow, &out->flow, errp)) {
        return false;
    }
    out->protocol = (enum sd_protocol)flow->protocol;
    out->nic = flow->has_nic ? flow->nic + 1 : 0;
    if (!wait->has_accept) {
        return out->protocol == SD_TCP || check_named(guest, "guest", errp);
    }
    if (out->protocol != SD_TCP) {
        error_setg(errp, "accept: only for flow.protocol tcp");
        return false;
    }
    out->accept = wait->accept == STUBDOMAIN_ACCEPT_HOLD ? SD_ACCEPT_HOLD
                                                         : SD_ACCEPT_ANSWER;
    return check_named(guest, "guest", errp);
}

static bool bytes_from_qapi(const StubdomainPlan *plan, struct sd_wait *out,
                            Error **errp)
{
    uint64_t least = out->accept == SD_ACCEPT_ANSWER ? 0 : 1;

    out->bytes = 1;
    if (!plan || !plan->has_bytes) {
        return true;
    }
    /* QEMU's visitor takes a negative number for a very large one. */
    if (plan->bytes < least || plan->bytes > INT64_MAX) {
        error_setg(errp, "plan.bytes: must be %" PRIu64 " to %" PRId64, least,
                   INT64_MAX);
        return false;
    }
    out->bytes = plan->bytes;
    return true;
}

/* The core compiles the text, which is what it saves as well. */
static bool plan_from_qapi(StubdomainPCI *dev, StubdomainPlan *plan,
                           struct sd_wait *out, Error **errp)
{
    g_autoptr(GString) json = NULL;
    QObject *object = NULL;
    Visitor *visitor;
    char error[1024];

    if (!bytes_from_qapi(plan, out, errp)) {
        return false;
    }
    if (plan && (plan->has_format || plan->method || plan->match ||
                 plan->has_handlers || plan->has_otherwise || plan->has_late ||
                 plan->retries)) {
        if (out->accept != SD_ACCEPT_NONE) {
            error_setg(errp, "plan: only bytes, for a new connection");
            return false;
        }
    } else if (out->accept != SD_ACCEPT_NONE || (plan && plan->has_bytes)) {
        return true;
    }
    if (plan) {
        visitor = qobject_output_visitor_new(&object);
        visit_type_StubdomainPlan(visitor, NULL, &plan, &error_abort);
        visit_complete(visitor, &object);
        visit_free(visitor);
        json = qobject_to_json(object);
        qobject_unref(object);
    } else {
        json = g_string_new("{}");
    }
    out->plan = sd_plan_new(json->str, json->len, dev->config.scripts, error,
                            sizeof(error));
    if (!out->plan) {
        error_setg(errp, "%s", error);
    }
    return out->plan != NULL;
}

/* Who waits. */
static bool waiter_from_qapi(const StubdomainWait *wait, enum sd_owner owner,
                             struct sd_wait *out, Error **errp)
{
    if (wait->has_thread && owner != SD_OWNER_GUEST) {
        error_setg(errp, "thread: only for waits of the guest");
        return false;
    }
    if (wait->has_thread && wait->thread == 0) {
        error_setg(errp, "thread: must be the number of a registered thread");
        return false;
    }
    out->thread = wait->thread;
    if (wait->importance > SD_MAX_IMPORTANCE) {
        error_setg(errp, "importance: must be 0 to %d", SD_MAX_IMPORTANCE);
        return false;
    }
    out->importance = wait->importance;
    return true;
}

static bool buffer_from_qapi(const StubdomainWait *wait, enum sd_owner owner,
                             struct sd_wait *out, Error **errp)
{
    struct sd_buffer *buffer;

    if (!wait->buffer) {
        return true;
    }
    if (owner != SD_OWNER_GUEST) {
        error_setg(errp, "buffer: only for waits of the guest");
        return false;
    }
    buffer = g_new(struct sd_buffer, 1);
    out->buffer = buffer;
    return stubdomain_buffer_from_qapi(wait->buffer, buffer, errp);
}

bool stubdomain_wait_from_qapi(StubdomainPCI *dev, const StubdomainWait *wait,
                               enum sd_owner owner, struct sd_wait *out,
                               Error **errp)
{
    memset(out, 0, sizeof(*out));
    out->owner = owner;
    if (!awaited_from_qapi(wait, out, errp)) {
        return false;
    }
    if (wait->has_guest_port) {
        if (out->accept != SD_ACCEPT_ANSWER || wait->guest_port == 0) {
            error_setg(errp, "guest-port: must be 1 to 65535, and is only for "
                       "accept answer");
            return false;
        }
        out->guest_port = wait->guest_port;
    }
    out->has_received = wait->has_received;
    out->received = wait->received;
    out->timeout_ms = wait->timeout;
    out->suspend = wait->has_suspend ? wait->suspend : owner == SD_OWNER_GUEST;
    out->elapsed_ms = wait->elapsed;
    out->expected_ms = wait->expected;
    out->request_class = wait->q_class;
    out->application = wait->application;
    out->has_depth = wait->has_depth;
    out->depth = (enum sd_depth)wait->depth;
    out->has_evict_delay = wait->has_evict_delay;
    out->evict_delay_ms = wait->evict_delay;
    if (waiter_from_qapi(wait, owner, out, errp) &&
        buffer_from_qapi(wait, owner, out, errp) &&
        plan_from_qapi(dev, wait->plan, out, errp)) {
        return true;
    }
    stubdomain_wait_clear(out);
    return false;
}

bool stubdomain_check_plan(StubdomainPCI *dev, StubdomainPlan *plan,
                           Error **errp)
{
    struct sd_wait wait = { };
    bool ok = plan_from_qapi(dev, plan, &wait, errp);

    stubdomain_wait_clear(&wait);
    return ok;
}

void stubdomain_wait_clear(struct sd_wait *wait)
{
    sd_plan_free(wait->plan);
    wait->plan = NULL;
    g_free((void *)wait->buffer);
    wait->buffer = NULL;
}

static StubdomainEndpoint *endpoint_to_qapi(const struct sd_address *address)
{
    StubdomainEndpoint *endpoint;
    char text[INET6_ADDRSTRLEN];

    if (!address->family && !address->port) {
        return NULL;
    }
    endpoint = g_new0(StubdomainEndpoint, 1);
    if (address->family) {
        inet_ntop(address->family == 6 ? AF_INET6 : AF_INET, address->bytes,
                  text, sizeof(text));
        endpoint->host = address->prefix ?
                         g_strdup_printf("%s/%u", text, address->prefix) :
                         g_strdup(text);
    }
    endpoint->has_port = address->port != 0;
    endpoint->port = address->port;
    return endpoint;
}

StubdomainFlow *stubdomain_flow_to_qapi(enum sd_protocol protocol,
                                        const struct sd_flow_id *flow)
{
    StubdomainFlow *converted = g_new0(StubdomainFlow, 1);

    converted->has_protocol = true;
    converted->protocol = (StubdomainProtocol)protocol;
    converted->guest = endpoint_to_qapi(&flow->guest);
    converted->peer = endpoint_to_qapi(&flow->peer);
    return converted;
}

StubdomainFlowParameters *
stubdomain_parameters_to_qapi(const struct sd_flow_parameters *parameters)
{
    StubdomainFlowParameters *converted = g_new0(StubdomainFlowParameters, 1);

    converted->flow = stubdomain_flow_to_qapi(SD_TCP, &parameters->flow);
    converted->send_next = parameters->send_next;
    converted->receive_next = parameters->receive_next;
    converted->send_window = parameters->send_window;
    converted->receive_window = parameters->receive_window;
    converted->has_send_shift = parameters->scaled;
    converted->send_shift = parameters->send_shift;
    converted->has_receive_shift = parameters->scaled;
    converted->receive_shift = parameters->receive_shift;
    converted->mss = parameters->mss;
    converted->sack = parameters->sack;
    converted->has_timestamp = parameters->timestamps;
    converted->timestamp = parameters->timestamp;
    converted->has_timestamp_echo = parameters->timestamps;
    converted->timestamp_echo = parameters->timestamp_echo;
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
        info->flow = stubdomain_flow_to_qapi(stubs[i].protocol, &stubs[i].flow);
        info->flow->has_nic = stubs[i].nic != 0;
        info->flow->nic = stubs[i].nic ? stubs[i].nic - 1 : 0;
        info->has_accept = stubs[i].accept != SD_ACCEPT_NONE;
        if (info->has_accept) {
            info->accept = stubs[i].accept == SD_ACCEPT_HOLD ?
                           STUBDOMAIN_ACCEPT_HOLD : STUBDOMAIN_ACCEPT_ANSWER;
        }
        info->bytes = stubs[i].bytes;
        info->wanted = stubs[i].wanted;
        info->has_timeout_left = stubs[i].timeout_left_ms != SD_NEVER;
        if (info->has_timeout_left) {
            info->timeout_left = stubs[i].timeout_left_ms;
        }
        info->has_thread = stubs[i].thread != 0;
        info->thread = stubs[i].thread;
        info->importance = stubs[i].importance;
        info->has_expected = stubs[i].expected_ms != SD_NEVER;
        info->expected = info->has_expected ? stubs[i].expected_ms : 0;
        info->application = stubs[i].application[0] ?
                            g_strdup(stubs[i].application) : NULL;
        QAPI_LIST_APPEND(tail, info);
    }
    return list;
}

StubdomainThreadInfoList *stubdomain_threads_to_qapi(StubdomainPCI *dev)
{
    StubdomainThreadInfoList *list = NULL, **tail = &list;
    size_t count = sd_get_threads(dev->core, NULL, 0);
    g_autofree struct sd_thread_info *threads =
        g_new(struct sd_thread_info, count);

    sd_get_threads(dev->core, threads, count);
    for (size_t i = 0; i < count; i++) {
        StubdomainThreadInfo *info = g_new0(StubdomainThreadInfo, 1);

        info->thread = threads[i].thread;
        info->name = threads[i].name[0] ? g_strdup(threads[i].name) : NULL;
        info->waiting = threads[i].waiting;
        QAPI_LIST_APPEND(tail, info);
    }
    return list;
}

static StubdomainCosts *costs_to_qapi(const struct sd_costs *costs)
{
    StubdomainCosts *converted = g_new0(StubdomainCosts, 1);

    converted->suspend = costs->suspend_us;
    converted->wake = costs->wake_us;
    converted->given_back = costs->bytes_back;
    converted->guest_ram = costs->guest_bytes;
    return converted;
}

static StubdomainPressure *pressure_to_qapi(const struct sd_pressure *pressure)
{
    StubdomainPressure *converted = g_new0(StubdomainPressure, 1);

    converted->some = pressure->some_percent;
    converted->full = pressure->full_percent;
    return converted;
}

StubdomainDecisionList *stubdomain_decisions_to_qapi(StubdomainPCI *dev,
                                                     bool for_guest)
{
    StubdomainDecisionList *list = NULL, **tail = &list;
    struct sd_decision decisions[SD_MAX_DECISIONS];
    size_t count = sd_get_decisions(dev->core, stubdomain_now(), decisions,
                                    ARRAY_SIZE(decisions));

    for (size_t i = 0; i < count; i++) {
        StubdomainDecision *decision = g_new0(StubdomainDecision, 1);

        decision->decided = (StubdomainDecided)decisions[i].decided;
        decision->why = (StubdomainWhy)decisions[i].why;
        decision->age = decisions[i].age_ms;
        decision->has_due = decisions[i].due_ms != SD_NEVER;
        decision->due = decision->has_due ? decisions[i].due_ms : 0;
        decision->registered = decisions[i].registered;
        decision->waiting = decisions[i].waiting;
        decision->needed = decisions[i].needed;
        decision->awaited = decisions[i].awaited;
        decision->answered = decisions[i].answered;
        decision->replies = decisions[i].replies;
        decision->importance = decisions[i].importance;
        decision->inhibits = decisions[i].inhibits;
        decision->suspends = decisions[i].suspends;
        decision->has_expected = decisions[i].expected_ms != SD_NEVER;
        decision->expected = decision->has_expected ? decisions[i].expected_ms
                                                    : 0;
        decision->least = decisions[i].least_ms;
        decision->costs = costs_to_qapi(&decisions[i].costs);
        if (!for_guest) {
            decision->pressure = pressure_to_qapi(&decisions[i].pressure);
        }
        QAPI_LIST_APPEND(tail, decision);
    }
    return list;
}

StubdomainGivenBack *stubdomain_given_back_to_qapi(StubdomainPCI *dev)
{
    StubdomainGivenBack *converted = g_new0(StubdomainGivenBack, 1);
    struct sd_given_back given;

    sd_get_given_back(dev->core, stubdomain_now(), &given);
    converted->idle = given.idle_ms;
    converted->evicted = given.evicted_ms;
    converted->byte_seconds = given.byte_seconds;
    return converted;
}
