/*
 * stubdomain-pci: waits of a guest whose connections are followed.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "stubdomain/rig.h"
#include "stubdomain/tests.h"
#include "stubdomain/wire.h"

#define PORT 40000

/* A wait that proposes no suspend; returns its number. */
static uint32_t lay(Rig *rig, uint16_t port, const char *more)
{
    g_autofree char *all = g_strdup_printf(", 'suspend': false%s", more);
    g_autofree char *json = wire_wait_json(port, all);
    QDict *response = rig_ask(rig, json);
    uint32_t stub = qdict_get_int(response, "stub");

    g_assert_cmpuint(qdict_size(response), ==, 1);
    qobject_unref(response);
    return stub;
}

static void cancel(Rig *rig, uint32_t stub)
{
    g_autofree char *json = g_strdup_printf("{'op': 'cancel', 'stub': %u}",
                                            stub);

    qobject_unref(rig_ask(rig, json));
}

/* What "results" returns; the interrupt for it has been seen. */
static QList *results(Rig *rig)
{
    QDict *response = rig_ask(rig, "{'op': 'results'}");
    QList *ended = qobject_ref(qdict_get_qlist(response, "ended"));

    qobject_unref(response);
    return ended;
}

/* Waits for the interrupt cause, and takes it back. */
static void await_ended(Rig *rig)
{
    while (!(rig_read(rig, STUBDOMAIN_REG_INT_STATUS) & STUBDOMAIN_INT_ENDED)) {
        g_usleep(G_USEC_PER_SEC / 1000);
    }
    rig_write(rig, STUBDOMAIN_REG_INT_ACK, STUBDOMAIN_INT_ENDED);
    g_assert_cmphex(rig_read(rig, STUBDOMAIN_REG_INT_STATUS), ==, 0);
}

/* "results" has one entry, which is this. */
static void assert_ended(Rig *rig, uint32_t stub, const char *outcome,
                         uint64_t bytes)
{
    QList *list = results(rig);
    QDict *ended;

    g_assert_cmpuint(qlist_size(list), ==, 1);
    ended = qobject_to(QDict, qlist_peek(list));
    g_assert_cmpuint(qdict_get_int(ended, "stub"), ==, stub);
    g_assert_cmpstr(qdict_get_str(ended, "outcome"), ==, outcome);
    g_assert_cmpuint(qdict_get_int(ended, "bytes"), ==, bytes);
    qobject_unref(list);

    list = results(rig);
    g_assert_true(qlist_empty(list));
    qobject_unref(list);
}

static void test_status_net(void)
{
    Rig rig = { };

    rig_start_net(&rig, "", "");
    g_assert_cmphex(rig_read(&rig, STUBDOMAIN_REG_STATUS), ==,
                    STUBDOMAIN_STATUS_NET | STUBDOMAIN_STATUS_SUSPEND);
    rig_stop(&rig);
}

/* A running guest's frames pass unchanged, in both directions. */
static void test_reply(void)
{
    const Segment reply = { WIRE_ACK | WIRE_PSH, WIRE_PEER_SEQ + 1,
                            WIRE_GUEST_SEQ + 1, "first" };
    const Segment more = { WIRE_ACK | WIRE_PSH, WIRE_PEER_SEQ + 6,
                           WIRE_GUEST_SEQ + 1, " and rest" };
    Rig rig = { };
    uint32_t stub;

    rig_start_net(&rig, "", "");
    wire_connect(&rig, PORT);
    stub = lay(&rig, PORT, ", 'plan': {'bytes': 10}");
    wire_peer_sends(&rig, PORT, &reply);
    wire_guest_gets(&rig, PORT, &reply);
    g_assert_cmphex(rig_read(&rig, STUBDOMAIN_REG_INT_STATUS), ==, 0);
    wire_peer_sends(&rig, PORT, &more);
    wire_guest_gets(&rig, PORT, &more);
    await_ended(&rig);
    assert_ended(&rig, stub, "replied", 14);
    rig_stop(&rig);
}

static void test_status(void)
{
    Rig rig = { };
    QDict *response, *info, *flow;
    QList *stubs;
    uint32_t stub;

    rig_start_net(&rig, "", "");
    wire_connect(&rig, PORT);
    stub = lay(&rig, PORT, ", 'plan': {'bytes': 100}");
    response = rig_ask(&rig, "{'op': 'status'}");
    stubs = qdict_get_qlist(response, "stubs");
    g_assert_cmpuint(qlist_size(stubs), ==, 1);
    info = qobject_to(QDict, qlist_peek(stubs));
    g_assert_cmpuint(qdict_get_int(info, "stub"), ==, stub);
    g_assert_cmpstr(qdict_get_str(info, "owner"), ==, "guest");
    g_assert_cmpuint(qdict_get_int(info, "bytes"), ==, 0);
    g_assert_cmpuint(qdict_get_int(info, "wanted"), ==, 100);
    g_assert_false(qdict_haskey(info, "timeout-left"));
    flow = qdict_get_qdict(info, "flow");
    g_assert_cmpstr(qdict_get_str(qdict_get_qdict(flow, "guest"), "host"), ==,
                    "10.0.0.2");
    g_assert_cmpuint(qdict_get_int(qdict_get_qdict(flow, "guest"), "port"), ==,
                     PORT);
    g_assert_cmpstr(qdict_get_str(qdict_get_qdict(flow, "peer"), "host"), ==,
                    "10.0.0.1");
    g_assert_cmpuint(qdict_get_int(qdict_get_qdict(flow, "peer"), "port"), ==,
                     80);
    qobject_unref(response);
    rig_stop(&rig);
}

static void test_cancel(void)
{
    Rig rig = { };
    uint32_t stub;

    rig_start_net(&rig, "", "");
    wire_connect(&rig, PORT);
    stub = lay(&rig, PORT, "");
    cancel(&rig, stub);
    await_ended(&rig);
    assert_ended(&rig, stub, "cancelled", 0);
    rig_stop(&rig);
}

static void test_timeout(void)
{
    Rig rig = { };
    QDict *event;
    uint32_t stub;

    rig_start_net(&rig, "", "");
    wire_connect(&rig, PORT);
    stub = lay(&rig, PORT, ", 'timeout': 1");
    event = qtest_qmp_eventwait_ref(rig.qts, "STUBDOMAIN_TIMEOUT");
    g_assert_cmpuint(qdict_get_int(qdict_get_qdict(event, "data"), "stub"),
                     ==, stub);
    qobject_unref(event);
    await_ended(&rig);
    assert_ended(&rig, stub, "timeout", 0);
    rig_stop(&rig);
}

static void test_reset_by_peer(void)
{
    const Segment reset = { WIRE_RST, WIRE_PEER_SEQ + 1 };
    Rig rig = { };
    uint32_t stub;

    rig_start_net(&rig, "", "");
    wire_connect(&rig, PORT);
    stub = lay(&rig, PORT, "");
    wire_peer_sends(&rig, PORT, &reset);
    wire_guest_gets(&rig, PORT, &reset);
    await_ended(&rig);
    assert_ended(&rig, stub, "reset", 0);
    rig_stop(&rig);
}

/* The guest cannot take back what the host laid; the host can take any. */
static void test_owners(void)
{
    g_autofree char *json = NULL;
    Rig rig = { };
    QDict *response;
    uint32_t hosts, guests;

    rig_start_net(&rig, "", "");
    wire_connect(&rig, PORT);
    response = qtest_qmp_assert_success_ref(rig.qts,
        "{'execute': 'stubdomain-listen', 'arguments': {'flow':"
        " {'peer': {'host': '10.0.0.1', 'port': 80}}}}");
    hosts = qdict_get_int(response, "stub");
    qobject_unref(response);
    json = g_strdup_printf("{'op': 'cancel', 'stub': %u}", hosts);
    rig_assert_refused(&rig, json, STUBDOMAIN_RESULT_REFUSED, "stub");

    guests = lay(&rig, PORT, "");
    g_assert_cmpuint(guests, !=, hosts);
    qtest_qmp_assert_success(rig.qts, "{'execute': 'stubdomain-unlisten',"
                             " 'arguments': {'stub': %u}}", guests);
    await_ended(&rig);
    assert_ended(&rig, guests, "cancelled", 0);
    qtest_qmp_assert_success(rig.qts, "{'execute': 'stubdomain-unlisten',"
                             " 'arguments': {'stub': %u}}", hosts);
    /* What became of the host's stub is not for the guest to know. */
    g_assert_cmphex(rig_read(&rig, STUBDOMAIN_REG_INT_STATUS), ==, 0);
    rig_stop(&rig);
}

static void test_max_stubs(void)
{
    g_autofree char *json = wire_wait_json(PORT, ", 'suspend': false");
    Rig rig = { };
    uint32_t first;

    rig_start_net(&rig, ",max-stubs=3", "");
    wire_connect(&rig, PORT);
    first = lay(&rig, PORT, "");
    lay(&rig, PORT, "");
    lay(&rig, PORT, "");
    for (int i = 0; i < 1000; i++) {
        rig_assert_refused(&rig, json, STUBDOMAIN_RESULT_REFUSED, "too many");
    }
    cancel(&rig, first);
    lay(&rig, PORT, "");
    rig_assert_refused(&rig, json, STUBDOMAIN_RESULT_REFUSED, "too many");
    rig_stop(&rig);
}

/* Each wait that can be open, and its status still fits the mailbox. */
static void test_max_stubs_default(void)
{
    g_autofree char *json = wire_wait_json(PORT, ", 'suspend': false");
    Rig rig = { };
    QDict *response;
    uint64_t max;

    rig_start_net(&rig, "", "");
    wire_connect(&rig, PORT);
    response = qtest_qmp(rig.qts, "{'execute': 'qom-get', 'arguments':"
                         " {'path': 'stub0', 'property': 'max-stubs'}}");
    max = qdict_get_int(response, "return");
    qobject_unref(response);
    for (uint64_t i = 0; i < max; i++) {
        lay(&rig, PORT, ", 'timeout': 4294967295,"
            " 'plan': {'bytes': 9223372036854775807}");
    }
    rig_assert_refused(&rig, json, STUBDOMAIN_RESULT_REFUSED, "too many");
    response = rig_ask(&rig, "{'op': 'status'}");
    g_assert_cmpuint(qlist_size(qdict_get_qlist(response, "stubs")), ==,
                     MIN(max, 64));
    qobject_unref(response);
    response = rig_query(&rig);
    g_assert_cmpuint(qdict_get_int(response, "stubs"), ==, max);
    qobject_unref(response);
    rig_stop(&rig);
}

/*
 * More waits end than one response holds: none is forgotten, and the guest is
 * interrupted again until all were told.
 */
static void test_many_ended(void)
{
    Rig rig = { };
    uint32_t stubs[600];
    size_t told = 0;

    rig_start_net(&rig, "", "");
    wire_connect(&rig, PORT);
    for (size_t i = 0; i < ARRAY_SIZE(stubs); i++) {
        stubs[i] = lay(&rig, PORT, "");
        cancel(&rig, stubs[i]);
        await_ended(&rig);
    }
    for (int left = 3; left > 0; left--) {
        QList *list;

        list = results(&rig);
        g_assert_cmpuint(qlist_size(list), ==, left > 1 ? 256 : 88);
        while (!qlist_empty(list)) {
            QDict *ended = qobject_to(QDict, qlist_pop(list));

            g_assert_cmpuint(qdict_get_int(ended, "stub"), ==, stubs[told++]);
            qobject_unref(ended);
        }
        qobject_unref(list);
        if (left > 1) {
            await_ended(&rig);
        }
    }
    g_assert_cmpuint(told, ==, ARRAY_SIZE(stubs));
    g_assert_cmphex(rig_read(&rig, STUBDOMAIN_REG_INT_STATUS), ==, 0);
    rig_stop(&rig);
}

/* Ended waits that nobody asks for: the oldest is forgotten. */
static void test_max_ended(void)
{
    Rig rig = { };
    uint32_t stubs[1025];
    QDict *ended;
    QList *list;

    rig_start_net(&rig, "", "");
    wire_connect(&rig, PORT);
    for (size_t i = 0; i < ARRAY_SIZE(stubs); i++) {
        stubs[i] = lay(&rig, PORT, "");
        cancel(&rig, stubs[i]);
        await_ended(&rig);
    }
    list = results(&rig);
    ended = qobject_to(QDict, qlist_peek(list));
    g_assert_cmpuint(qdict_get_int(ended, "stub"), ==, stubs[1]);
    qobject_unref(list);
    rig_stop(&rig);
}

/* A reset of the guest ends its waits without a trace in the new one's. */
static void test_guest_reset(void)
{
    Rig rig = { };
    QDict *info;
    QList *list;

    rig_start_net(&rig, "", "");
    wire_connect(&rig, PORT);
    lay(&rig, PORT, "");
    qtest_system_reset(rig.qts);
    rig_map(&rig);
    info = rig_query(&rig);
    g_assert_cmpuint(qdict_get_int(info, "stubs"), ==, 0);
    g_assert_cmpuint(qdict_get_int(info, "flows"), ==, 0);
    qobject_unref(info);
    list = results(&rig);
    g_assert_true(qlist_empty(list));
    qobject_unref(list);
    g_assert_cmphex(rig_read(&rig, STUBDOMAIN_REG_INT_STATUS), ==, 0);
    rig_stop(&rig);
}

/* What "history" tells, and who claimed the reply. */
static void test_history(void)
{
    const Segment reply = { WIRE_ACK | WIRE_PSH, WIRE_PEER_SEQ + 1,
                            WIRE_GUEST_SEQ + 1, "answer" };
    g_autofree char *json = wire_wait_json(PORT, ", 'plan': {'handlers': ["
        "{'name': 'any', 'when': {'bytes': 1}}]}");
    QDict *response, *last, *claim;
    Rig rig = { };

    rig_start_net(&rig, ",suspend-delay=0", "");
    wire_connect(&rig, PORT);
    response = rig_ask(&rig, "{'op': 'history'}");
    g_assert_true(qlist_empty(qdict_get_qlist(response, "decisions")));
    qobject_unref(response);
    qobject_unref(rig_ask(&rig, json));
    qtest_qmp_eventwait(rig.qts, "STUBDOMAIN_SUSPENDED");
    wire_peer_sends(&rig, PORT, &reply);
    qtest_qmp_eventwait(rig.qts, "STUBDOMAIN_RESTORED");

    response = rig_ask(&rig, "{'op': 'history'}");
    last = qobject_to(QDict, QTAILQ_LAST(
        &qdict_get_qlist(response, "decisions")->head)->value);
    g_assert_cmpstr(qdict_get_str(last, "decided"), ==, "wake");
    qobject_unref(response);
    response = rig_ask(&rig, "{'op': 'results'}");
    last = qobject_to(QDict, qlist_peek(qdict_get_qlist(response, "ended")));
    claim = qdict_get_qdict(last, "claim");
    g_assert_cmpstr(qdict_get_str(claim, "handler"), ==, "any");
    qobject_unref(response);
    rig_stop(&rig);
}

void add_waits_tests(void)
{
    qtest_add_func("stubdomain/waits/status-net", test_status_net);
    qtest_add_func("stubdomain/waits/reply", test_reply);
    qtest_add_func("stubdomain/waits/status", test_status);
    qtest_add_func("stubdomain/waits/cancel", test_cancel);
    qtest_add_func("stubdomain/waits/timeout", test_timeout);
    qtest_add_func("stubdomain/waits/reset-by-peer", test_reset_by_peer);
    qtest_add_func("stubdomain/waits/owners", test_owners);
    qtest_add_func("stubdomain/waits/max-stubs", test_max_stubs);
    qtest_add_func("stubdomain/waits/max-stubs-default",
                   test_max_stubs_default);
    qtest_add_func("stubdomain/waits/many-ended", test_many_ended);
    qtest_add_func("stubdomain/waits/max-ended", test_max_ended);
    qtest_add_func("stubdomain/waits/guest-reset", test_guest_reset);
    qtest_add_func("stubdomain/waits/history", test_history);
}
