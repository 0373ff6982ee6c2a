/*
 * stubdomain-pci: its state in a migration stream, also in a damaged one.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "stubdomain/rig.h"
#include "stubdomain/tests.h"
#include "stubdomain/wire.h"

#define PORT 40000

/*
 * The device's part of the stream, from REQUEST_LENGTH on. That register gets
 * a value which is nowhere else, and so is found.
 */
#define LANDMARK 0x57d0a11e
enum {
    AT_REQUEST_LENGTH = 0,
    AT_ENDED_COUNT = 28,
    AT_FIRST_OUTCOME = 36,
    AT_CORE_LENGTH = 32 + 93 + 8, /* with one ended wait */
    AT_CORE = AT_CORE_LENGTH + 4,
};

/* A VM with an open and an ended wait; returns the open one's number. */
static uint32_t start_source(Rig *rig)
{
    g_autofree char *json = wire_wait_json(PORT, ", 'suspend': false");
    g_autofree char *undo = NULL;
    QDict *response;
    uint32_t stub;

    rig_start_net(rig, "", "");
    wire_connect(rig, PORT);
    response = rig_ask(rig, json);
    undo = g_strdup_printf("{'op': 'cancel', 'stub': %u}",
                           (uint32_t)qdict_get_int(response, "stub"));
    qobject_unref(response);
    qobject_unref(rig_ask(rig, undo));
    response = rig_ask(rig, json);
    stub = qdict_get_int(response, "stub");
    qobject_unref(response);
    qobject_unref(rig_ask(rig, "{'op': 'hello'}"));
    while (!rig_read(rig, STUBDOMAIN_REG_INT_STATUS)) {
        g_usleep(G_USEC_PER_SEC / 1000);
    }
    rig_write(rig, STUBDOMAIN_REG_INT_ENABLE, 0x80000002);
    rig_write(rig, STUBDOMAIN_REG_REQUEST_LENGTH, LANDMARK);
    return stub;
}

static void test_preserved(void)
{
    static const uint32_t registers[] = {
        STUBDOMAIN_REG_STATUS, STUBDOMAIN_REG_REQUEST_LENGTH,
        STUBDOMAIN_REG_RESULT, STUBDOMAIN_REG_RESPONSE_LENGTH,
        STUBDOMAIN_REG_INT_STATUS, STUBDOMAIN_REG_INT_ENABLE,
        STUBDOMAIN_REG_RESTORES, STUBDOMAIN_REG_HOST_TIME_HIGH,
    };
    const Segment reply = { WIRE_ACK | WIRE_PSH, WIRE_PEER_SEQ + 1,
                            WIRE_GUEST_SEQ + 1, "answer" };
    uint32_t values[ARRAY_SIZE(registers)];
    g_autofree char *path = NULL, *text = NULL, *loaded_text = NULL;
    Rig source = { }, target = { };
    QDict *response, *ended;
    uint32_t stub = start_source(&source);
    QPCIBar regs = source.regs, mailbox = source.mailbox;

    path = g_build_filename(source.dir, "image", NULL);
    rig_read(&source, STUBDOMAIN_REG_HOST_TIME_LOW);
    qtest_qmp_assert_success(source.qts, "{'execute': 'stubdomain-suspend'}");
    qtest_qmp_eventwait(source.qts, "STUBDOMAIN_SUSPENDED");
    qtest_qmp_assert_success(source.qts, "{'execute': 'stubdomain-restore'}");
    qtest_qmp_eventwait(source.qts, "STUBDOMAIN_RESTORED");
    for (size_t i = 0; i < ARRAY_SIZE(registers); i++) {
        values[i] = rig_read(&source, registers[i]);
    }
    text = rig_response(&source);
    rig_save(&source, path);

    rig_start_net(&target, "", "-incoming defer");
    rig_load(&target, path);
    target.regs = regs;
    target.mailbox = mailbox;
    for (size_t i = 0; i < ARRAY_SIZE(registers); i++) {
        g_assert_cmphex(rig_read(&target, registers[i]), ==, values[i]);
    }
    loaded_text = rig_response(&target);
    g_assert_cmpstr(loaded_text, ==, text);

    response = rig_query(&target);
    g_assert_true(qdict_get_bool(response, "agent"));
    g_assert_cmpuint(qdict_get_int(response, "flows"), ==, 1);
    qobject_unref(response);
    response = rig_ask(&target, "{'op': 'results'}");
    ended = qobject_to(QDict, qlist_peek(qdict_get_qlist(response, "ended")));
    g_assert_cmpuint(qdict_get_int(ended, "stub"), !=, stub);
    g_assert_cmpstr(qdict_get_str(ended, "outcome"), ==, "cancelled");
    qobject_unref(response);
    rig_write(&target, STUBDOMAIN_REG_INT_ACK, STUBDOMAIN_INT_ENDED);

    /* The open wait is still one. */
    wire_peer_sends(&target, PORT, &reply);
    wire_guest_gets(&target, PORT, &reply);
    while (!(rig_read(&target, STUBDOMAIN_REG_INT_STATUS) &
             STUBDOMAIN_INT_ENDED)) {
        g_usleep(G_USEC_PER_SEC / 1000);
    }
    response = rig_ask(&target, "{'op': 'results'}");
    ended = qobject_to(QDict, qlist_peek(qdict_get_qlist(response, "ended")));
    g_assert_cmpuint(qdict_get_int(ended, "stub"), ==, stub);
    g_assert_cmpstr(qdict_get_str(ended, "outcome"), ==, "replied");
    qobject_unref(response);
    rig_stop(&source);
    rig_stop(&target);
}

static void start_suspended(Rig *rig)
{
    g_autofree char *json = wire_wait_json(PORT, "");

    rig_start_net(rig, "", "");
    wire_connect(rig, PORT);
    qobject_unref(rig_ask(rig, json));
    qtest_qmp_eventwait(rig->qts, "STUBDOMAIN_SUSPENDED");
}

/* Whoever loads a suspended VM takes over its connections. */
static void assert_taken_over(Rig *rig)
{
    const Segment reply = { WIRE_ACK | WIRE_PSH, WIRE_PEER_SEQ + 1,
                            WIRE_GUEST_SEQ + 1, "answer" };
    const Segment reply_ack = { WIRE_ACK, WIRE_GUEST_SEQ + 1,
                                WIRE_PEER_SEQ + 7 };
    QDict *info = rig_query(rig);

    g_assert_cmpstr(qdict_get_str(info, "state"), ==, "suspended");
    qobject_unref(info);
    wire_peer_sends(rig, PORT, &reply);
    wire_peer_gets(rig, PORT, &reply_ack);
    qtest_qmp_eventwait(rig->qts, "STUBDOMAIN_RESTORED");
    wire_guest_gets(rig, PORT, &reply);
}

static void test_suspended(void)
{
    g_autofree char *path = NULL;
    Rig source = { }, target = { };

    start_suspended(&source);
    path = g_build_filename(source.dir, "image", NULL);
    rig_save(&source, path);
    rig_quit(&source);

    rig_start_net(&target, "", "-incoming defer");
    rig_load(&target, path);
    assert_taken_over(&target);
    rig_stop(&target);
    rig_stop(&source);
}

/*
 * The suspend file of a VM whose QEMU has ended: it runs on from there, and
 * still waits.
 */
static void test_suspend_file(void)
{
    const Segment reply = { WIRE_ACK | WIRE_PSH, WIRE_PEER_SEQ + 1,
                            WIRE_GUEST_SEQ + 1, "answer" };
    g_autofree char *path = NULL;
    Rig source = { }, target = { };

    start_suspended(&source);
    path = g_build_filename(source.dir, "stub0.suspend", NULL);
    rig_quit(&source);

    rig_start_net(&target, "", "-incoming defer");
    rig_enable_mapped_ram(&target);
    rig_load(&target, path);
    qtest_qmp_eventwait(target.qts, "STUBDOMAIN_RESTORED");
    wire_peer_sends(&target, PORT, &reply);
    wire_guest_gets(&target, PORT, &reply);
    qtest_qmp_eventwait(target.qts, "STUBDOMAIN_REPLY");
    rig_stop(&target);
    rig_stop(&source);
}

typedef struct Image {
    char *bytes;
    gsize length;
    uint8_t *device; /* where REQUEST_LENGTH is */
} Image;

static Image make_image(void)
{
    g_autofree char *path = NULL;
    Rig rig = { };
    Image image;
    uint8_t landmark[4];

    start_source(&rig);
    path = g_build_filename(rig.dir, "image", NULL);
    rig_save(&rig, path);
    g_assert_true(g_file_get_contents(path, &image.bytes, &image.length,
                                      NULL));
    rig_stop(&rig);
    stl_be_p(landmark, LANDMARK);
    image.device = memmem(image.bytes, image.length, landmark,
                          sizeof(landmark));
    g_assert_nonnull(image.device);
    g_assert_cmpuint(ldl_be_p(image.device + AT_ENDED_COUNT), ==, 1);
    return image;
}

/* Loads the image into a VM; it must be refused, and the VM live on. */
static void assert_not_loaded(const Image *image)
{
    g_autofree char *path = NULL;
    Rig rig = { };
    QDict *info;

    rig_start_net(&rig, "", "-incoming defer");
    path = g_build_filename(rig.dir, "image", NULL);
    g_assert_true(g_file_set_contents(path, image->bytes, image->length,
                                      NULL));
    rig_assert_load_fails(&rig, path);
    info = rig_query(&rig);
    g_assert_cmpuint(qdict_get_int(info, "flows"), ==, 0);
    qobject_unref(info);
    rig_stop(&rig);
}

static void test_damaged_numbers(void)
{
    static const struct {
        unsigned at;
        uint32_t value;
    } damages[] = {
        { AT_ENDED_COUNT, 1025 },
        { AT_ENDED_COUNT, UINT32_MAX },
        { AT_FIRST_OUTCOME, 5 },
        { AT_FIRST_OUTCOME, UINT32_MAX },
        { AT_CORE_LENGTH, 0 },
        { AT_CORE_LENGTH, 8 },
    };
    Image image = make_image();

    for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
        uint32_t right = ldl_be_p(image.device + damages[i].at);

        stl_be_p(image.device + damages[i].at, damages[i].value);
        assert_not_loaded(&image);
        stl_be_p(image.device + damages[i].at, right);
    }
    g_free(image.bytes);
}

/* The core's own form: its tests change every byte, these only a few. */
static void test_damaged_core(void)
{
    Image image = make_image();
    uint32_t length = ldl_be_p(image.device + AT_CORE_LENGTH);
    const uint32_t places[] = { 0, 4, length / 2, length - 1 };

    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        image.device[AT_CORE + places[i]] ^= 0x40;
        assert_not_loaded(&image);
        image.device[AT_CORE + places[i]] ^= 0x40;
    }
    g_free(image.bytes);
}

void add_migration_tests(void)
{
    qtest_add_func("stubdomain/migration/preserved", test_preserved);
    qtest_add_func("stubdomain/migration/suspended", test_suspended);
    qtest_add_func("stubdomain/migration/suspend-file", test_suspend_file);
    qtest_add_func("stubdomain/migration/damaged-numbers",
                   test_damaged_numbers);
    qtest_add_func("stubdomain/migration/damaged-core", test_damaged_core);
}
