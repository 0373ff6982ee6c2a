/*
 * stubdomain-pci: connections that wait without a socket of the guest.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qobject/qdict.h"
#include "stubdomain/rig.h"
#include "stubdomain/tests.h"
#include "stubdomain/wire.h"

#define PORT 40000
#define FLOW "'flow': {'guest': {'host': '10.0.0.2', 'port': 40000}," \
             " 'peer': {'host': '10.0.0.1', 'port': 80}}"

static const Segment reply = { WIRE_ACK | WIRE_PSH, WIRE_PEER_SEQ + 1,
                               WIRE_GUEST_SEQ + 1, "reply" };

static void start_detached(Rig *rig)
{
    rig_start_net(rig, "", "");
    wire_connect(rig, PORT);
    qobject_unref(rig_ask(rig, "{'op': 'detach', " FLOW "}"));
}

/* The peer's bytes are acknowledged, and kept. */
static void keep_reply(Rig *rig)
{
    const Segment acknowledged = { WIRE_ACK, WIRE_GUEST_SEQ + 1,
                                   WIRE_PEER_SEQ + 6 };

    wire_peer_sends(rig, PORT, &reply);
    wire_peer_gets(rig, PORT, &acknowledged);
}

static void test_reattach(void)
{
    const Segment late = { WIRE_RST, WIRE_GUEST_SEQ + 1 };
    Rig rig = { };
    QDict *response, *parameters;

    start_detached(&rig);
    /* Would come before the acknowledgement. */
    wire_guest_sends(&rig, PORT, &late);
    rig_assert_alive(&rig);
    keep_reply(&rig);
    response = rig_ask(&rig, "{'op': 'parameters', " FLOW "}");
    parameters = qdict_get_qdict(response, "parameters");
    g_assert_cmpuint(qdict_get_int(parameters, "send-next"), ==,
                     WIRE_GUEST_SEQ + 1);
    g_assert_cmpuint(qdict_get_int(parameters, "receive-next"), ==,
                     WIRE_PEER_SEQ + 1);
    g_assert_cmpuint(qdict_get_int(parameters, "send-window"), ==, 0xffff);
    g_assert_cmpuint(qdict_get_int(parameters, "receive-window"), ==, 0xffff);
    g_assert_cmpuint(qdict_get_int(qdict_get_qdict(
        qdict_get_qdict(parameters, "flow"), "guest"), "port"), ==, PORT);
    g_assert_false(qdict_get_bool(parameters, "sack"));
    g_assert_false(qdict_haskey(parameters, "send-shift"));
    g_assert_false(qdict_haskey(parameters, "receive-shift"));
    g_assert_false(qdict_haskey(parameters, "timestamp"));
    g_assert_false(qdict_haskey(parameters, "timestamp-echo"));
    qobject_unref(response);
    qobject_unref(rig_ask(&rig, "{'op': 'reattach', " FLOW "}"));
    wire_guest_gets(&rig, PORT, &reply);
    rig_assert_refused(&rig, "{'op': 'reattach', " FLOW "}",
                       STUBDOMAIN_RESULT_REFUSED, "flow");
    rig_stop(&rig);
}

/* What the guest has sent must have arrived; that is told apart. */
static void test_busy(void)
{
    const Segment request = { WIRE_ACK | WIRE_PSH, WIRE_GUEST_SEQ + 1,
                              WIRE_PEER_SEQ + 1, "request" };
    const Segment acknowledged = { WIRE_ACK, WIRE_PEER_SEQ + 1,
                                   WIRE_GUEST_SEQ + 8 };
    static const char json[] = "{'op': 'reattach', " FLOW "}";
    Rig rig = { };

    rig_start_net(&rig, "", "");
    wire_connect(&rig, PORT);
    wire_guest_sends(&rig, PORT, &request);
    wire_peer_gets(&rig, PORT, &request);
    qobject_unref(rig_ask(&rig, "{'op': 'detach', " FLOW "}"));
    rig_assert_refused(&rig, "{'op': 'parameters', " FLOW "}",
                       STUBDOMAIN_RESULT_BUSY, "flow");
    rig_assert_refused(&rig, json, STUBDOMAIN_RESULT_BUSY, "flow");
    wire_peer_sends(&rig, PORT, &acknowledged);
    while (rig_ring(&rig, json, strlen(json)) != STUBDOMAIN_RESULT_OK) {
        g_usleep(G_USEC_PER_SEC / 1000);
    }
    rig_stop(&rig);
}

/* Expects that the peer connects to the guest's port 8080. */
static void assert_connects(Rig *rig)
{
    const Segment syn = { WIRE_SYN, WIRE_PEER_SEQ };

    wire_guest_gets(rig, 8080, &syn);
}

static void test_connect(void)
{
    Rig rig = { };

    start_detached(&rig);
    keep_reply(&rig);
    rig_assert_refused(&rig, "{'op': 'connect', 'guest-port': 0, " FLOW "}",
                       STUBDOMAIN_RESULT_REFUSED, "guest-port");
    qobject_unref(rig_ask(&rig,
                          "{'op': 'connect', 'guest-port': 8080, " FLOW "}"));
    assert_connects(&rig);
    rig_stop(&rig);
}

static void test_connect_by_host(void)
{
    Rig rig = { };

    start_detached(&rig);
    keep_reply(&rig);
    qtest_qmp_assert_success(rig.qts,
        "{'execute': 'stubdomain-connect', 'arguments': {'guest-port': 8080, "
        FLOW "}}");
    assert_connects(&rig);
    rig_stop(&rig);
}

void add_detached_tests(void)
{
    qtest_add_func("stubdomain/detached/reattach", test_reattach);
    qtest_add_func("stubdomain/detached/busy", test_busy);
    qtest_add_func("stubdomain/detached/connect", test_connect);
    qtest_add_func("stubdomain/detached/connect-by-host", test_connect_by_host);
}
