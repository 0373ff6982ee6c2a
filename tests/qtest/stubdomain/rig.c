/*
 * Rig of the stubdomain-pci tests.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include <sys/un.h>
#include "qapi/error.h"
#include "qobject/qdict.h"
#include "qobject/qjson.h"
#include "qobject/qlist.h"
#include "stubdomain/rig.h"

char *rig_make_dir(void)
{
    char *dir = g_dir_make_tmp("stubdomain-XXXXXX", NULL);

    g_assert_nonnull(dir);
    return dir;
}

static void remove_dir(const char *dir)
{
    GDir *entries = g_dir_open(dir, 0, NULL);
    const char *name;

    while ((name = g_dir_read_name(entries))) {
        g_autofree char *path = g_build_filename(dir, name, NULL);

        g_assert_cmpint(g_remove(path), ==, 0);
    }
    g_dir_close(entries);
    g_assert_cmpint(g_rmdir(dir), ==, 0);
}

void rig_map(Rig *rig)
{
    uint64_t size;

    qpci_device_enable(rig->pci);
    rig->regs = qpci_iomap(rig->pci, STUBDOMAIN_BAR_REGS, &size);
    g_assert_cmpuint(size, ==, STUBDOMAIN_REGS_SIZE);
    rig->mailbox = qpci_iomap(rig->pci, STUBDOMAIN_BAR_MAILBOX, &size);
    g_assert_cmpuint(size, ==, STUBDOMAIN_MAILBOX_SIZE);
}

void rig_start(Rig *rig, const char *args)
{
    if (!rig->dir) {
        *rig = (Rig) { .dir = rig_make_dir(), .guest_fd = -1, .peer_fd = -1 };
    }
    rig->qts = qtest_initf(RIG_MACHINE "%s", args);
    rig->bus = qpci_new_pc(rig->qts, NULL);
    rig->pci = qpci_device_find(rig->bus, QPCI_DEVFN(RIG_SLOT, 0));
    g_assert_nonnull(rig->pci);
    rig_map(rig);
}

static int open_end(const char *dir, const char *name)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct timeval patience = { .tv_sec = 30 };
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    g_assert_cmpint(fd, >=, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", dir, name);
    g_assert_cmpint(bind(fd, (void *)&address, sizeof(address)), ==, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    return fd;
}

static void connect_end(int fd, const char *dir, const char *name)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", dir, name);
    g_assert_cmpint(connect(fd, (void *)&address, sizeof(address)), ==, 0);
}

void rig_start_net(Rig *rig, const char *device_args, const char *more_args)
{
    static const char netdev[] =
        " -netdev dgram,id=%s,local.type=unix,local.path=%s/%s-vm,"
        "remote.type=unix,remote.path=%s/%s"
        " -netdev hubport,id=%s-port,hubid=0,netdev=%s";
    g_autoptr(GString) args = g_string_new("q35");
    const char *ends[] = { "guest", "peer" };
    g_autofree char *dir = rig_make_dir();

    *rig = (Rig) { .dir = g_steal_pointer(&dir) };
    rig->guest_fd = open_end(rig->dir, "guest");
    rig->peer_fd = open_end(rig->dir, "peer");
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        g_string_append_printf(args, netdev, ends[i], rig->dir, ends[i],
                               rig->dir, ends[i], ends[i], ends[i]);
    }
    g_string_append(args, " " RIG_DEVICE ",netdev=peer");
    if (device_args) {
        g_string_append_printf(args, ",suspend-dir=%s%s", rig->dir,
                               device_args);
    }
    g_string_append_printf(args, " %s", more_args);
    rig_start(rig, args->str);
    connect_end(rig->guest_fd, rig->dir, "guest-vm");
    connect_end(rig->peer_fd, rig->dir, "peer-vm");
}

void rig_quit(Rig *rig)
{
    qtest_qmp_send(rig->qts, "{'execute': 'quit'}");
    qtest_wait_qemu(rig->qts);
    rig_terminate(rig);
}

void rig_terminate(Rig *rig)
{
    g_clear_pointer(&rig->pci, g_free);
    g_clear_pointer(&rig->bus, qpci_free_pc);
    g_clear_pointer(&rig->qts, qtest_quit);
}

void rig_stop(Rig *rig)
{
    rig_terminate(rig);
    if (rig->guest_fd >= 0) {
        close(rig->guest_fd);
        close(rig->peer_fd);
    }
    remove_dir(rig->dir);
    g_free(rig->dir);
    rig->dir = NULL;
}

uint32_t rig_read(Rig *rig, uint32_t reg)
{
    return qpci_io_readl(rig->pci, rig->regs, reg);
}

void rig_write(Rig *rig, uint32_t reg, uint32_t value)
{
    qpci_io_writel(rig->pci, rig->regs, reg, value);
}

uint32_t rig_ring(Rig *rig, const void *request, uint32_t length)
{
    qpci_memwrite(rig->pci, rig->mailbox, 0, request, length);
    rig_write(rig, STUBDOMAIN_REG_REQUEST_LENGTH, length);
    rig_write(rig, STUBDOMAIN_REG_DOORBELL, 1);
    return rig_read(rig, STUBDOMAIN_REG_RESULT);
}

char *rig_response(Rig *rig)
{
    uint32_t length = rig_read(rig, STUBDOMAIN_REG_RESPONSE_LENGTH);
    char *text;

    g_assert_cmpuint(length, <=, STUBDOMAIN_RESPONSE_MAX);
    text = g_malloc0(length + 1);
    qpci_memread(rig->pci, rig->mailbox, STUBDOMAIN_RESPONSE_OFFSET, text,
                 length);
    return text;
}

QDict *rig_ask(Rig *rig, const char *json)
{
    uint32_t result = rig_ring(rig, json, strlen(json));
    g_autofree char *text = rig_response(rig);
    QDict *response;

    if (result != STUBDOMAIN_RESULT_OK) {
        g_error("%s: result %u, %s", json, result, text);
    }
    response = qobject_to(QDict, qobject_from_json(text, &error_abort));
    g_assert_nonnull(response);
    return response;
}

void rig_assert_refused(Rig *rig, const char *json, uint32_t result,
                        const char *place)
{
    g_autofree char *text = NULL;

    g_assert_cmpuint(rig_ring(rig, json, strlen(json)), ==, result);
    text = rig_response(rig);
    if (!strstr(text, place)) {
        g_error("%.200s: the error text is '%s', without '%s'", json, text,
                place);
    }
    g_assert_true(g_utf8_validate(text, -1, NULL));
}

void rig_assert_alive(Rig *rig)
{
    qobject_unref(rig_ask(rig, "{'op': 'status'}"));
}

QDict *rig_query(Rig *rig)
{
    QDict *response = qtest_qmp(rig->qts, "{'execute': 'query-stubdomain'}");
    QList *list = qdict_get_qlist(response, "return");
    QDict *info;

    g_assert_nonnull(list);
    g_assert_cmpuint(qlist_size(list), ==, 1);
    info = qobject_to(QDict, qlist_pop(list));
    qobject_unref(response);
    return info;
}

/* Waits for the migration's end; returns its status. */
static char *migration_end(Rig *rig)
{
    while (true) {
        QDict *info = qtest_qmp_assert_success_ref(
            rig->qts, "{'execute': 'query-migrate'}");
        g_autofree char *status = g_strdup(qdict_get_try_str(info, "status"));

        qobject_unref(info);
        if (!g_strcmp0(status, "completed") || !g_strcmp0(status, "failed")) {
            return g_steal_pointer(&status);
        }
        g_usleep(G_USEC_PER_SEC / 1000);
    }
}

void rig_save(Rig *rig, const char *path)
{
    g_autofree char *uri = g_strdup_printf("file:%s", path);
    g_autofree char *status = NULL;

    qtest_qmp_assert_success(rig->qts, "{'execute': 'migrate-set-parameters',"
                             " 'arguments': {'max-bandwidth': 0}}");
    qtest_qmp_assert_success(rig->qts, "{'execute': 'migrate',"
                             " 'arguments': {'uri': %s}}", uri);
    status = migration_end(rig);
    g_assert_cmpstr(status, ==, "completed");
}

void rig_enable_mapped_ram(Rig *rig)
{
    qtest_qmp_assert_success(rig->qts, "{'execute':"
        " 'migrate-set-capabilities', 'arguments': {'capabilities':"
        " [{'capability': 'mapped-ram', 'state': true}]}}");
}

static char *load(Rig *rig, const char *path)
{
    g_autofree char *uri = g_strdup_printf("file:%s", path);

    qtest_qmp_assert_success(rig->qts, "{'execute': 'migrate-incoming',"
                             " 'arguments': {'uri': %s,"
                             " 'exit-on-error': false}}", uri);
    return migration_end(rig);
}

void rig_load(Rig *rig, const char *path)
{
    g_autofree char *status = load(rig, path);

    g_assert_cmpstr(status, ==, "completed");
}

void rig_assert_load_fails(Rig *rig, const char *path)
{
    g_autofree char *status = load(rig, path);

    g_assert_cmpstr(status, ==, "failed");
}
