/*
 * stubdomain-pci: properties, filters, and set-ups that are refused.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <sched.h>
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "stubdomain/rig.h"
#include "stubdomain/tests.h"

#define HUB(n) " -netdev hubport,hubid=0,id=net" #n

/* Runs a QEMU that must end by itself, and returns what it says. */
static char *run_refused(const char *args)
{
    g_autofree char *command = g_strdup_printf(
        /* Ends a QEMU that starts after all, so that the test fails. */
        "timeout 60 %s -display none -S " RIG_MACHINE "%s",
        g_getenv("QTEST_QEMU_BINARY"), args);
    g_autofree char *output = NULL;
    char *errors = NULL;
    int status;

    g_assert_true(g_spawn_command_line_sync(command, &output, &errors, &status,
                                            NULL));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 1) {
        g_error("%s: status 0x%x: %s", command, status, errors);
    }
    return errors;
}

static void assert_refused(const char *args, const char *message)
{
    g_autofree char *errors = run_refused(args);

    if (!strstr(errors, message)) {
        g_error("%s: said '%s', without '%s'", args, errors, message);
    }
}

static void test_refused(void)
{
    static const struct {
        const char *args;
        const char *message;
    } cases[] = {
        { "q35 -device stubdomain-pci,netdev=nope", "netdev 'nope'" },
        { "q35 -device stubdomain-pci,suspend-dir=/nowhere/at/all",
          "'/nowhere/at/all' is not a directory" },
        { "q35 -device stubdomain-pci,suspend-dir=/dev/null",
          "'/dev/null' is not a directory" },
        { "q35 " RIG_DEVICE " -device stubdomain-pci,id=stub1",
          "one stubdomain-pci device at most" },
        { "q35 -device stubdomain-pci,unmatched=panic", "unmatched" },
        { "q35 -device stubdomain-pci,suspend-delay=-1", "suspend-delay" },
        { "q35 -device stubdomain-pci,restore=later", "restore" },
        { "q35 -object secret,id=key,data=0123456789"
          " -device stubdomain-pci,encryption-secret=key",
          "encryption-secret needs restore=eager" },
        { "q35 -device stubdomain-pci,encryption-secret=key,restore=eager",
          "No secret with id 'key'" },
        { "q35 -device stubdomain-pci,max-stubs=many", "max-stubs" },
        { "q35 -device stubdomain-pci,max-stubs=1025",
          "max-stubs is 1025; it must be at most 1024" },
        { "q35 -device stubdomain-pci,flow-buffer=1x", "flow-buffer" },
        { "q35 " RIG_DEVICE HUB(0)
          " -object filter-stubdomain,id=f,netdev=net0,device=other",
          "no stubdomain-pci device with id 'other'" },
        { "q35" HUB(0)
          " -object filter-stubdomain,id=f,netdev=net0,device=stub0",
          "no stubdomain-pci device with id 'stub0'" },
        { "q35 " RIG_DEVICE HUB(0)
          " -object filter-stubdomain,id=f,netdev=net0", "device" },
        { "q35 " RIG_DEVICE " -object filter-stubdomain,id=f,device=stub0",
          "netdev" },
        { "q35 " RIG_DEVICE
          " -object filter-stubdomain,id=f,netdev=nope,device=stub0",
          "netdev" },
        { "q35 " RIG_DEVICE ",netdev=net0" HUB(0)
          " -object filter-stubdomain,id=f,netdev=net0,device=stub0",
          "has netdev 'net0' already" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_refused(cases[i].args, cases[i].message);
    }
}

/* One NIC more than a stub domain can care for. */
static void test_too_many_nics(void)
{
    g_autoptr(GString) args = g_string_new("q35 " RIG_DEVICE);
    Rig rig = { };

    for (int i = 0; i < 16; i++) {
        g_string_append_printf(
            args, " -netdev hubport,hubid=0,id=net%d"
            " -object filter-stubdomain,id=f%d,netdev=net%d,device=stub0",
            i, i, i);
    }
    rig_start(&rig, args->str);
    g_assert_cmphex(rig_read(&rig, STUBDOMAIN_REG_STATUS), ==,
                    STUBDOMAIN_STATUS_NET);
    rig_stop(&rig);

    g_string_append(args, HUB(16)
        " -object filter-stubdomain,id=f16,netdev=net16,device=stub0");
    assert_refused(args->str, "16 NICs already");
}

/* In a network namespace of its own, because a tap has to be made. */
static void test_multiqueue(void)
{
    int home = open("/proc/self/ns/net", O_RDONLY);

    g_assert_cmpint(home, >=, 0);
    if (access("/dev/net/tun", R_OK | W_OK) || unshare(CLONE_NEWNET)) {
        close(home);
        g_test_skip("cannot make a tap in a network namespace");
        return;
    }
    assert_refused("q35 -netdev tap,id=net0,ifname=t0,queues=2,script=no,"
                   "downscript=no -device stubdomain-pci,netdev=net0",
                   "multiqueue is not supported");
    g_assert_cmpint(setns(home, CLONE_NEWNET), ==, 0);
    close(home);
}

static void test_vhost(void)
{
    int home = open("/proc/self/ns/net", O_RDONLY);

    g_assert_cmpint(home, >=, 0);
    if (access("/dev/vhost-net", R_OK | W_OK) ||
        access("/dev/net/tun", R_OK | W_OK) || unshare(CLONE_NEWNET)) {
        close(home);
        g_test_skip("cannot make a tap with vhost in a network namespace");
        return;
    }
    assert_refused("q35 -netdev tap,id=net0,ifname=t0,vhost=on,script=no,"
                   "downscript=no -device stubdomain-pci,netdev=net0",
                   "Vhost is not supported");
    g_assert_cmpint(setns(home, CLONE_NEWNET), ==, 0);
    close(home);
}

static void assert_qmp_error(QDict *error, const char *message)
{
    if (!strstr(qdict_get_str(error, "desc"), message)) {
        g_error("QMP said '%s', without '%s'", qdict_get_str(error, "desc"),
                message);
    }
    qobject_unref(error);
}

static void test_hot_plug(void)
{
    Rig rig = { };

    rig_start(&rig, "pc " RIG_DEVICE);
    assert_qmp_error(qtest_qmp_assert_failure_ref(rig.qts,
        "{'execute': 'device_add', 'arguments':"
        " {'driver': 'stubdomain-pci', 'id': 'stub1'}}"), "hotplug");
    assert_qmp_error(qtest_qmp_assert_failure_ref(rig.qts,
        "{'execute': 'device_del', 'arguments': {'id': 'stub0'}}"),
        "hotplug");
    rig_assert_alive(&rig);
    rig_stop(&rig);
}

/* A filter that comes and goes while the VM runs, and a netdev that goes. */
static void test_filter_comes_and_goes(void)
{
    Rig rig = { };

    rig_start(&rig, "q35 " RIG_DEVICE ",netdev=net0" HUB(0) HUB(1));
    assert_qmp_error(qtest_qmp_assert_failure_ref(rig.qts,
        "{'execute': 'object-add', 'arguments': {'qom-type':"
        " 'filter-stubdomain', 'id': 'f', 'netdev': 'net1',"
        " 'device': 'other'}}"), "no stubdomain-pci device with id 'other'");
    for (int i = 0; i < 20; i++) {
        qtest_qmp_assert_success(rig.qts,
            "{'execute': 'object-add', 'arguments': {'qom-type':"
            " 'filter-stubdomain', 'id': 'f', 'netdev': 'net1',"
            " 'device': 'stub0'}}");
        qtest_qmp_assert_success(rig.qts, "{'execute': 'object-del',"
                                 " 'arguments': {'id': 'f'}}");
    }
    g_assert_cmphex(rig_read(&rig, STUBDOMAIN_REG_STATUS), ==,
                    STUBDOMAIN_STATUS_NET);
    qtest_qmp_assert_success(rig.qts, "{'execute': 'netdev_del',"
                             " 'arguments': {'id': 'net0'}}");
    g_assert_cmphex(rig_read(&rig, STUBDOMAIN_REG_STATUS), ==, 0);
    rig_assert_alive(&rig);
    rig_stop(&rig);
}

static void assert_set(Rig *rig, const char *property, uint64_t value)
{
    QDict *response;

    qtest_qmp_assert_success(rig->qts, "{'execute': 'qom-set', 'arguments':"
        " {'path': 'stub0', 'property': %s, 'value': %" PRIu64 "}}",
        property, value);
    response = qtest_qmp(rig->qts, "{'execute': 'qom-get', 'arguments':"
                         " {'path': 'stub0', 'property': %s}}", property);
    g_assert_cmpuint(qdict_get_int(response, "return"), ==, value);
    qobject_unref(response);
}

static void test_policy(void)
{
    static const char *const times[] = { "suspend-delay", "ready-timeout",
                                         "keepalive" };
    static const struct {
        const char *name;
        uint32_t max;
    } numbers[] = {
        { "pause-threads", UINT32_MAX },
        { "pause-share", 100 },
        { "wake-replies", UINT32_MAX },
        { "wake-share", 100 },
        { "wake-importance", 6 },
        { "suspend-interval", UINT32_MAX },
        { "suspend-budget", 600 },
        { "threshold", UINT32_MAX },
        { "vm-value", UINT32_MAX },
        { "learned-quantile", 100 },
        { "wake-memory", UINT32_MAX },
        { "prepare-timeout", UINT32_MAX },
        { "evict-delay", UINT32_MAX },
        { "suspend-when-idle", UINT32_MAX },
    };
    static const char *const fixed[] = { "max-flows", "max-stubs",
                                         "max-threads",
                                         "flow-buffer", "total-buffer",
                                         "max-ranges", "resend-buffer",
                                         "total-resend-buffer" };
    Rig rig = { };

    rig_start(&rig, "q35 " RIG_DEVICE ",unmatched=alert");
    for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
        assert_set(&rig, times[i], 0);
        assert_set(&rig, times[i], UINT32_MAX);
        assert_qmp_error(qtest_qmp_assert_failure_ref(rig.qts,
            "{'execute': 'qom-set', 'arguments': {'path': 'stub0',"
            " 'property': %s, 'value': 4294967296}}", times[i]), times[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        assert_set(&rig, numbers[i].name, 0);
        assert_set(&rig, numbers[i].name, numbers[i].max);
        assert_qmp_error(qtest_qmp_assert_failure_ref(rig.qts,
            "{'execute': 'qom-set', 'arguments': {'path': 'stub0',"
            " 'property': %s, 'value': %" PRIu64 "}}", numbers[i].name,
            (uint64_t)numbers[i].max + 1), numbers[i].name);
    }
    qtest_qmp_assert_success(rig.qts, "{'execute': 'qom-set', 'arguments':"
        " {'path': 'stub0', 'property': 'unmatched', 'value': 'restore'}}");
    assert_qmp_error(qtest_qmp_assert_failure_ref(rig.qts,
        "{'execute': 'qom-set', 'arguments': {'path': 'stub0',"
        " 'property': 'unmatched', 'value': 'panic'}}"), "panic");
    qtest_qmp_assert_success(rig.qts, "{'execute': 'qom-set', 'arguments':"
        " {'path': 'stub0', 'property': 'restore', 'value': 'eager'}}");
    assert_qmp_error(qtest_qmp_assert_failure_ref(rig.qts,
        "{'execute': 'qom-set', 'arguments': {'path': 'stub0',"
        " 'property': 'restore', 'value': 'later'}}"), "later");
    qtest_qmp_assert_success(rig.qts, "{'execute': 'qom-set', 'arguments':"
        " {'path': 'stub0', 'property': 'depth', 'value': 'auto'}}");
    assert_qmp_error(qtest_qmp_assert_failure_ref(rig.qts,
        "{'execute': 'qom-set', 'arguments': {'path': 'stub0',"
        " 'property': 'depth', 'value': 'deep'}}"), "deep");
    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
        assert_qmp_error(qtest_qmp_assert_failure_ref(rig.qts,
            "{'execute': 'qom-set', 'arguments': {'path': 'stub0',"
            " 'property': %s, 'value': 1}}", fixed[i]), fixed[i]);
    }
    rig_assert_alive(&rig);
    rig_stop(&rig);
}

/* Without a suspend-dir, and without a device. */
static void test_qmp_refused(void)
{
    Rig rig = { };
    QDict *response;
    QTestState *qts;

    rig_start(&rig, "q35 " RIG_DEVICE);
    assert_qmp_error(qtest_qmp_assert_failure_ref(rig.qts,
        "{'execute': 'stubdomain-suspend'}"), "stub0 has no suspend-dir");
    assert_qmp_error(qtest_qmp_assert_failure_ref(rig.qts,
        "{'execute': 'stubdomain-restore'}"), "neither");
    assert_qmp_error(qtest_qmp_assert_failure_ref(rig.qts,
        "{'execute': 'stubdomain-unlisten', 'arguments': {'stub': 1}}"),
        "stub");
    assert_qmp_error(qtest_qmp_assert_failure_ref(rig.qts,
        "{'execute': 'stubdomain-listen', 'arguments': {'flow':"
        " {'peer': {'host': 'example.org', 'port': 80}}}}"), "flow.peer.host");
    rig_stop(&rig);

    qts = qtest_init(RIG_MACHINE "q35");
    response = qtest_qmp(qts, "{'execute': 'query-stubdomain'}");
    g_assert_true(qlist_empty(qdict_get_qlist(response, "return")));
    qobject_unref(response);
    response = qtest_qmp(qts, "{'execute': 'query-stubdomain-stubs'}");
    g_assert_true(qlist_empty(qdict_get_qlist(response, "return")));
    qobject_unref(response);
    assert_qmp_error(qtest_qmp_assert_failure_ref(qts,
        "{'execute': 'stubdomain-suspend'}"), "no stubdomain-pci device");
    qtest_quit(qts);
}

void add_setup_tests(void)
{
    qtest_add_func("stubdomain/setup/refused", test_refused);
    qtest_add_func("stubdomain/setup/too-many-nics", test_too_many_nics);
    qtest_add_func("stubdomain/setup/multiqueue", test_multiqueue);
    qtest_add_func("stubdomain/setup/vhost", test_vhost);
    qtest_add_func("stubdomain/setup/hot-plug", test_hot_plug);
    qtest_add_func("stubdomain/setup/filter-comes-and-goes",
                   test_filter_comes_and_goes);
    qtest_add_func("stubdomain/setup/policy", test_policy);
    qtest_add_func("stubdomain/setup/qmp-refused", test_qmp_refused);
}
