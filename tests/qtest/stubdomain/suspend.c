/*
 * stubdomain-pci: suspends and restores, and how the guest learns of them.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/pci/pci_regs.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "stubdomain/rig.h"
#include "stubdomain/tests.h"
#include "stubdomain/wire.h"

#define PORT 40000
#define PATTERN_AT 0x100000
#define MESSAGE_AT 0x200000

static void suspend(Rig *rig)
{
    qtest_qmp_assert_success(rig->qts, "{'execute': 'stubdomain-suspend'}");
    qtest_qmp_eventwait(rig->qts, "STUBDOMAIN_SUSPENDED");
}

static void restore(Rig *rig)
{
    qtest_qmp_assert_success(rig->qts, "{'execute': 'stubdomain-restore'}");
    qtest_qmp_eventwait(rig->qts, "STUBDOMAIN_RESTORED");
}

static void assert_state(Rig *rig, const char *state)
{
    QDict *info = rig_query(rig);

    g_assert_cmpstr(qdict_get_str(info, "state"), ==, state);
    qobject_unref(info);
}

/* Memory is never absent, and a suspended VM's registers still answer. */
static void check_memory(const char *device_args, const char *more_args)
{
    uint8_t pattern[64 * 1024], got[sizeof(pattern)];
    Rig rig = { };

    for (size_t i = 0; i < sizeof(pattern); i++) {
        pattern[i] = i * 31 + i / 256 + 1;
    }
    rig_start_net(&rig, device_args, more_args);
    for (int cycle = 0; cycle < 3; cycle++) {
        pattern[0] = cycle;
        qtest_memwrite(rig.qts, PATTERN_AT, pattern, sizeof(pattern));
        suspend(&rig);
        assert_state(&rig, "suspended");
        qtest_memread(rig.qts, PATTERN_AT, got, sizeof(got));
        g_assert_cmpmem(got, sizeof(got), pattern, sizeof(pattern));
        g_assert_cmphex(rig_read(&rig, STUBDOMAIN_REG_MAGIC), ==,
                        STUBDOMAIN_MAGIC);
        restore(&rig);
        assert_state(&rig, "running");
        qtest_memread(rig.qts, PATTERN_AT, got, sizeof(got));
        g_assert_cmpmem(got, sizeof(got), pattern, sizeof(pattern));
        g_assert_cmpuint(rig_read(&rig, STUBDOMAIN_REG_RESTORES), ==,
                         cycle + 1);
    }
    rig_stop(&rig);
}

static void test_memory(void)
{
    check_memory("", "");
}

static void test_memory_eager(void)
{
    check_memory(",restore=eager", "");
}

static void test_memory_checksums(void)
{
    check_memory(",restore=eager,page-checksums=on", "");
}

static void test_memory_encrypted(void)
{
    check_memory(",restore=eager,encryption-secret=key",
                 "-object secret,id=key,data=0123456789");
}

static bool line_is_up(Rig *rig)
{
    return qpci_config_readw(rig->pci, PCI_STATUS) & PCI_STATUS_INTERRUPT;
}

static void test_intx(void)
{
    Rig rig = { };

    rig_start_net(&rig, "", "");
    suspend(&rig);
    g_assert_cmphex(rig_read(&rig, STUBDOMAIN_REG_INT_STATUS), ==, 0);
    restore(&rig);
    g_assert_cmphex(rig_read(&rig, STUBDOMAIN_REG_INT_STATUS), ==,
                    STUBDOMAIN_INT_RESTORED);
    g_assert_false(line_is_up(&rig));
    rig_write(&rig, STUBDOMAIN_REG_INT_ENABLE, STUBDOMAIN_INT_ENDED);
    g_assert_false(line_is_up(&rig));
    rig_write(&rig, STUBDOMAIN_REG_INT_ENABLE, STUBDOMAIN_INT_RESTORED);
    g_assert_true(line_is_up(&rig));
    rig_write(&rig, STUBDOMAIN_REG_INT_ACK, STUBDOMAIN_INT_ENDED);
    g_assert_true(line_is_up(&rig));
    rig_write(&rig, STUBDOMAIN_REG_INT_ACK, STUBDOMAIN_INT_RESTORED);
    g_assert_false(line_is_up(&rig));
    g_assert_cmphex(rig_read(&rig, STUBDOMAIN_REG_INT_STATUS), ==, 0);
    rig_stop(&rig);
}

static void test_msix(void)
{
    Rig rig = { };

    rig_start_net(&rig, "", "");
    qpci_msix_enable(rig.pci);
    qpci_io_writel(rig.pci, rig.pci->msix_table_bar,
                   rig.pci->msix_table_off + PCI_MSIX_ENTRY_LOWER_ADDR,
                   MESSAGE_AT);
    qpci_io_writel(rig.pci, rig.pci->msix_table_bar,
                   rig.pci->msix_table_off + PCI_MSIX_ENTRY_DATA, 0x1234);

    /* Not enabled: nothing. Enabled, but masked: pending. Then: sent. */
    suspend(&rig);
    restore(&rig);
    g_assert_false(qpci_msix_pending(rig.pci, 0));
    rig_write(&rig, STUBDOMAIN_REG_INT_ENABLE, STUBDOMAIN_INT_RESTORED);
    suspend(&rig);
    restore(&rig);
    g_assert_true(qpci_msix_pending(rig.pci, 0));
    g_assert_cmphex(qtest_readl(rig.qts, MESSAGE_AT), ==, 0);
    qpci_io_writel(rig.pci, rig.pci->msix_table_bar,
                   rig.pci->msix_table_off + PCI_MSIX_ENTRY_VECTOR_CTRL, 0);
    g_assert_cmphex(qtest_readl(rig.qts, MESSAGE_AT), ==, 0x1234);
    g_assert_false(line_is_up(&rig));
    rig_stop(&rig);
}

static void assert_restored(Rig *rig, const char *reason)
{
    QDict *event = qtest_qmp_eventwait_ref(rig->qts, "STUBDOMAIN_RESTORED");
    QDict *data = qdict_get_qdict(event, "data");

    g_assert_cmpstr(qdict_get_str(data, "device"), ==, "stub0");
    g_assert_cmpstr(qdict_get_str(data, "reason"), ==, reason);
    qobject_unref(event);
}

static void assert_refused(Rig *rig, const char *command, const char *why)
{
    QDict *error = qtest_qmp_assert_failure_ref(rig->qts, "{'execute': %s}",
                                                command);

    g_assert_nonnull(strstr(qdict_get_str(error, "desc"), why));
    qobject_unref(error);
}

static void test_stop_and_cont(void)
{
    Rig rig = { };

    rig_start_net(&rig, "", "");
    assert_refused(&rig, "stubdomain-restore", "neither");
    qtest_qmp_assert_success(rig.qts, "{'execute': 'stop'}");
    assert_refused(&rig, "stubdomain-suspend", "not running");
    qtest_qmp_assert_success(rig.qts, "{'execute': 'cont'}");
    suspend(&rig);
    assert_refused(&rig, "stubdomain-suspend", "not running");
    qtest_qmp_assert_success(rig.qts, "{'execute': 'cont'}");
    assert_restored(&rig, "host");
    assert_state(&rig, "running");
    rig_stop(&rig);
}

/* A reset lets the VM run, since nothing is left that could wake it. */
static void test_system_reset(void)
{
    Rig rig = { };

    rig_start_net(&rig, "", "");
    suspend(&rig);
    qtest_system_reset(rig.qts);
    assert_restored(&rig, "host");
    rig_map(&rig);
    rig_assert_alive(&rig);
    rig_stop(&rig);
}

/* The file stays only if the VM is in it, and nobody switched the VM off. */
static void test_end_of_qemu(void)
{
    static const struct {
        bool suspended;
        void (*end)(Rig *rig);
        bool stays;
    } cases[] = {
        { true, rig_quit, true },
        { true, rig_terminate, false },
        { false, rig_quit, false },
        { false, rig_terminate, false },
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        g_autofree char *path = NULL;
        Rig rig = { };

        rig_start_net(&rig, "", "");
        path = g_build_filename(rig.dir, "stub0.suspend", NULL);
        suspend(&rig);
        if (!cases[i].suspended) {
            restore(&rig);
        }
        g_assert_cmpint(access(path, F_OK), ==, 0);
        cases[i].end(&rig);
        g_assert_cmpint(access(path, F_OK) == 0, ==, cases[i].stays);
        rig_stop(&rig);
    }
}

/* The guest proposes a suspend that the host has no place for. */
static void test_no_place(void)
{
    g_autofree char *json = wire_wait_json(PORT, "");
    Rig rig = { };
    QDict *event, *response;
    const char *message;

    rig_start_net(&rig, NULL, "");
    g_assert_cmphex(rig_read(&rig, STUBDOMAIN_REG_STATUS), ==,
                    STUBDOMAIN_STATUS_NET);
    wire_connect(&rig, PORT);
    qobject_unref(rig_ask(&rig, json));
    event = qtest_qmp_eventwait_ref(rig.qts, "STUBDOMAIN_ERROR");
    message = qdict_get_str(qdict_get_qdict(event, "data"), "message");
    g_assert_cmpstr(message, ==, "stub0 has no suspend-dir");
    qobject_unref(event);
    assert_state(&rig, "running");
    response = rig_ask(&rig, "{'op': 'status'}");
    g_assert_cmpuint(qlist_size(qdict_get_qlist(response, "stubs")), ==, 1);
    qobject_unref(response);
    rig_stop(&rig);
}

/* The main job: wait, suspend, reply, restore, delivery. */
static void test_reply_while_suspended(void)
{
    const Segment request = { WIRE_ACK | WIRE_PSH, WIRE_GUEST_SEQ + 1,
                              WIRE_PEER_SEQ + 1, "question" };
    const Segment request_ack = { WIRE_ACK, WIRE_PEER_SEQ + 1,
                                  WIRE_GUEST_SEQ + 9 };
    const Segment reply = { WIRE_ACK | WIRE_PSH, WIRE_PEER_SEQ + 1,
                            WIRE_GUEST_SEQ + 9, "answer" };
    const Segment reply_ack = { WIRE_ACK, WIRE_GUEST_SEQ + 9,
                                WIRE_PEER_SEQ + 7 };
    g_autofree char *json = wire_wait_json(PORT, "");
    Rig rig = { };
    QDict *response, *ended;

    rig_start_net(&rig, "", "");
    wire_connect(&rig, PORT);
    wire_guest_sends(&rig, PORT, &request);
    wire_peer_gets(&rig, PORT, &request);
    wire_peer_sends(&rig, PORT, &request_ack);
    wire_guest_gets(&rig, PORT, &request_ack);

    qobject_unref(rig_ask(&rig, json));
    qtest_qmp_eventwait(rig.qts, "STUBDOMAIN_SUSPENDED");
    wire_peer_sends(&rig, PORT, &reply);
    assert_restored(&rig, "reply");
    wire_peer_gets(&rig, PORT, &reply_ack);

    wire_guest_gets(&rig, PORT, &reply);
    wire_guest_sends(&rig, PORT, &reply_ack);
    g_assert_cmphex(rig_read(&rig, STUBDOMAIN_REG_INT_STATUS), ==,
                    STUBDOMAIN_INT_RESTORED | STUBDOMAIN_INT_ENDED);
    response = rig_ask(&rig, "{'op': 'results'}");
    ended = qobject_to(QDict, qlist_peek(qdict_get_qlist(response, "ended")));
    g_assert_cmpstr(qdict_get_str(ended, "outcome"), ==, "replied");
    g_assert_cmpuint(qdict_get_int(ended, "bytes"), ==, 6);
    qobject_unref(response);
    rig_stop(&rig);
}

/* The last decision that the host is shown. */
static void assert_decided(Rig *rig, const char *decided, const char *why)
{
    QDict *info = rig_query(rig), *last;
    QList *decisions = qdict_get_qlist(info, "decisions");
    QListEntry *entry = QTAILQ_LAST(&decisions->head);

    g_assert_nonnull(entry);
    last = qobject_to(QDict, entry->value);
    g_assert_cmpstr(qdict_get_str(last, "decided"), ==, decided);
    g_assert_cmpstr(qdict_get_str(last, "why"), ==, why);
    qobject_unref(info);
}

/* Three threads: all must wait, and the important reply wakes them. */
static void test_threads(void)
{
    const Segment reply = { WIRE_ACK | WIRE_PSH, WIRE_PEER_SEQ + 1,
                            WIRE_GUEST_SEQ + 1, "answer" };
    g_autofree char *important =
        wire_wait_json(PORT, ", 'thread': 1, 'importance': 3");
    g_autofree char *other =
        wire_wait_json(PORT + 1, ", 'thread': 2, 'importance': 2");
    g_autofree char *last = wire_wait_json(PORT + 2, ", 'thread': 3");
    Rig rig = { };
    QDict *response;

    rig_start_net(&rig, ",suspend-delay=0,wake-share=100,wake-importance=3",
                  "");
    for (int i = 0; i < 3; i++) {
        wire_connect(&rig, PORT + i);
        qobject_unref(rig_ask(&rig, "{'op': 'register'}"));
    }
    qobject_unref(rig_ask(&rig, important));
    qobject_unref(rig_ask(&rig, other));
    qtest_qmp_eventwait(rig.qts, "STUBDOMAIN_WAIT");
    assert_decided(&rig, "stay", "threads");
    qobject_unref(rig_ask(&rig, last));
    qtest_qmp_eventwait(rig.qts, "STUBDOMAIN_SUSPENDED");
    assert_decided(&rig, "suspend", "waits");

    wire_peer_sends(&rig, PORT + 1, &reply);
    qtest_qmp_eventwait(rig.qts, "STUBDOMAIN_REPLY");
    assert_decided(&rig, "sleep", "replies");
    assert_state(&rig, "suspended");
    wire_peer_sends(&rig, PORT, &reply);
    assert_restored(&rig, "reply");
    assert_decided(&rig, "wake", "importance");
    response = rig_ask(&rig, "{'op': 'results'}");
    g_assert_cmpuint(qlist_size(qdict_get_qlist(response, "ended")), ==, 2);
    qobject_unref(response);
    rig_stop(&rig);
}

/* The host's inhibit holds a suspend up that a wait proposes. */
static void test_inhibited(void)
{
    g_autofree char *json = wire_wait_json(PORT, "");
    Rig rig = { };

    rig_start_net(&rig, ",suspend-delay=0", "");
    wire_connect(&rig, PORT);
    qtest_qmp_assert_success(rig.qts, "{'execute': 'stubdomain-inhibit'}");
    qobject_unref(rig_ask(&rig, json));
    qtest_qmp_eventwait(rig.qts, "STUBDOMAIN_WAIT");
    assert_decided(&rig, "stay", "inhibited");
    qtest_qmp_assert_success(rig.qts, "{'execute': 'stubdomain-allow'}");
    qtest_qmp_eventwait(rig.qts, "STUBDOMAIN_SUSPENDED");
    assert_decided(&rig, "suspend", "waits");
    rig_stop(&rig);
}

/* An agent that runs hooks is told first, and its word begins the suspend. */
static void test_prepare(void)
{
    g_autofree char *json = wire_wait_json(PORT, "");
    const uint32_t told = STUBDOMAIN_INT_SUSPENDING;
    Rig rig = { };

    rig_start_net(&rig, ",suspend-delay=0,prepare-timeout=3600000", "");
    wire_connect(&rig, PORT);
    qobject_unref(rig_ask(&rig, "{'op': 'hello', 'prepare': true}"));
    qobject_unref(rig_ask(&rig, json));
    while (!(rig_read(&rig, STUBDOMAIN_REG_INT_STATUS) & told)) {
        g_usleep(G_USEC_PER_SEC / 1000);
    }
    rig_write(&rig, STUBDOMAIN_REG_INT_ACK, told);
    assert_state(&rig, "running");
    /* It is taken back, and told again. */
    qtest_qmp_assert_success(rig.qts, "{'execute': 'stubdomain-inhibit'}");
    while (!(rig_read(&rig, STUBDOMAIN_REG_INT_STATUS) &
             STUBDOMAIN_INT_RESTORED)) {
        g_usleep(G_USEC_PER_SEC / 1000);
    }
    qtest_qmp_assert_success(rig.qts, "{'execute': 'stubdomain-allow'}");
    while (!(rig_read(&rig, STUBDOMAIN_REG_INT_STATUS) & told)) {
        g_usleep(G_USEC_PER_SEC / 1000);
    }
    qobject_unref(rig_ask(&rig, "{'op': 'prepared'}"));
    qtest_qmp_eventwait(rig.qts, "STUBDOMAIN_SUSPENDED");
    rig_stop(&rig);
}

/* @expected is in the output; NULL: there is none. */
static void assert_hmp(Rig *rig, const char *command, const char *expected)
{
    g_autofree char *output = qtest_hmp(rig->qts, "%s", command);

    if (expected ? !strstr(output, expected) : *output) {
        g_error("%s: said '%s', not '%s'", command, output, expected ?: "");
    }
}

static void test_hmp(void)
{
    g_autofree char *json = wire_wait_json(PORT, ", 'suspend': false");
    Rig rig = { };

    rig_start_net(&rig, "", "");
    wire_connect(&rig, PORT);
    qobject_unref(rig_ask(&rig, json));
    assert_hmp(&rig, "info stubdomain", "stub0: running, no agent");
    assert_hmp(&rig, "info stubdomain",
               "of the guest: [10.0.0.2]:40000 <- [10.0.0.1]:80");
    assert_hmp(&rig, "stubdomain_restore", "Error");
    assert_hmp(&rig, "stubdomain_suspend", NULL);
    qtest_qmp_eventwait(rig.qts, "STUBDOMAIN_SUSPENDED");
    assert_hmp(&rig, "info stubdomain", "stub0: suspended");
    assert_hmp(&rig, "info stubdomain", "ms ago: suspend, because of host");
    assert_hmp(&rig, "stubdomain_suspend", "Error");
    assert_hmp(&rig, "stubdomain_restore", NULL);
    qtest_qmp_eventwait(rig.qts, "STUBDOMAIN_RESTORED");
    assert_hmp(&rig, "info stubdomain", "stub0: running");
    rig_stop(&rig);
}

void add_suspend_tests(void)
{
    qtest_add_func("stubdomain/suspend/memory", test_memory);
    qtest_add_func("stubdomain/suspend/memory-eager", test_memory_eager);
    qtest_add_func("stubdomain/suspend/memory-checksums",
                   test_memory_checksums);
    qtest_add_func("stubdomain/suspend/memory-encrypted",
                   test_memory_encrypted);
    qtest_add_func("stubdomain/suspend/intx", test_intx);
    qtest_add_func("stubdomain/suspend/msix", test_msix);
    qtest_add_func("stubdomain/suspend/stop-and-cont", test_stop_and_cont);
    qtest_add_func("stubdomain/suspend/system-reset", test_system_reset);
    qtest_add_func("stubdomain/suspend/end-of-qemu", test_end_of_qemu);
    qtest_add_func("stubdomain/suspend/no-place", test_no_place);
    qtest_add_func("stubdomain/suspend/reply-while-suspended",
                   test_reply_while_suspended);
    qtest_add_func("stubdomain/suspend/threads", test_threads);
    qtest_add_func("stubdomain/suspend/inhibited", test_inhibited);
    qtest_add_func("stubdomain/suspend/prepare", test_prepare);
    qtest_add_func("stubdomain/suspend/hmp", test_hmp);
}
