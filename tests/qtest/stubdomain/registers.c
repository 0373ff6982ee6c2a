/*
 * stubdomain-pci: PCI identity, registers, interrupts, reset.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/pci/pci_regs.h"
#include "qobject/qdict.h"
#include "stubdomain/rig.h"
#include "stubdomain/tests.h"

/* What a test does on each of these machines. */
static const char *const machines[] = { "pc", "q35" };

static void start_on(Rig *rig, const void *machine)
{
    g_autofree char *args = g_strdup_printf("%s " RIG_DEVICE,
                                            (const char *)machine);

    rig_start(rig, args);
}

static void test_identity(const void *machine)
{
    Rig rig = { };
    uint8_t msix;
    uint64_t size;

    start_on(&rig, machine);
    g_assert_cmphex(qpci_config_readw(rig.pci, PCI_VENDOR_ID), ==, 0x1af4);
    g_assert_cmphex(qpci_config_readw(rig.pci, PCI_DEVICE_ID), ==, 0x10f0);
    g_assert_cmphex(qpci_config_readb(rig.pci, PCI_REVISION_ID), ==, 1);
    g_assert_cmphex(qpci_config_readw(rig.pci, PCI_CLASS_DEVICE), ==, 0x0880);
    g_assert_cmphex(qpci_config_readb(rig.pci, PCI_INTERRUPT_PIN), ==, 1);

    /* rig_start() has checked the sizes of the other BARs. */
    qpci_iomap(rig.pci, STUBDOMAIN_BAR_MSIX, &size);
    g_assert_cmpuint(size, ==, 0x1000);
    for (int bar = 0; bar < 6; bar++) {
        uint32_t value = qpci_config_readl(rig.pci,
                                           PCI_BASE_ADDRESS_0 + 4 * bar);

        /* 32 bits wide, in memory space, not prefetchable; odd: unused. */
        g_assert_cmphex(value & 0xf, ==, 0);
        g_assert_cmpint(!value, ==, bar % 2);
    }

    msix = qpci_find_capability(rig.pci, PCI_CAP_ID_MSIX, 0);
    g_assert_cmphex(msix, !=, 0);
    g_assert_cmpuint(qpci_msix_table_size(rig.pci), ==, 1);
    g_assert_cmpuint(qpci_config_readl(rig.pci, msix + PCI_MSIX_TABLE) &
                     PCI_MSIX_TABLE_BIR, ==, STUBDOMAIN_BAR_MSIX);
    rig_stop(&rig);
}

/* The value of each register after a reset, but for the host's time. */
static const struct {
    uint32_t reg;
    uint32_t value;
} initial[] = {
    { 0x00, 0x42555453 }, /* MAGIC: "STUB" in memory */
    { 0x04, 1 },          /* REVISION */
    { 0x08, 0 },          /* STATUS: no netdev, no suspend-dir */
    { 0x0c, 0 },          /* REQUEST_LENGTH */
    { 0x10, 0xffffffff }, /* DOORBELL: write only */
    { 0x14, 1 },          /* RESULT: none */
    { 0x18, 0 },          /* RESPONSE_LENGTH */
    { 0x1c, 0 },          /* INT_STATUS */
    { 0x20, 0xffffffff }, /* INT_ACK: write only */
    { 0x24, 0 },          /* INT_ENABLE */
    { 0x28, 0 },          /* RESTORES */
    { 0x2c, 0xffffffff }, /* no register */
    { 0x38, 0xffffffff }, /* no register */
    { 0xffc, 0xffffffff }, /* no register */
};

static void assert_initial(Rig *rig)
{
    for (size_t i = 0; i < ARRAY_SIZE(initial); i++) {
        uint32_t value = rig_read(rig, initial[i].reg);

        if (value != initial[i].value) {
            g_error("register 0x%02x is 0x%x, not 0x%x", initial[i].reg, value,
                    initial[i].value);
        }
    }
}

static void test_initial(const void *machine)
{
    Rig rig = { };

    start_on(&rig, machine);
    assert_initial(&rig);
    g_assert_cmphex(rig_read(&rig, STUBDOMAIN_REG_HOST_TIME_HIGH), ==, 0);
    rig_stop(&rig);
}

static void test_read_only(void)
{
    Rig rig = { };

    start_on(&rig, "q35");
    for (size_t i = 0; i < ARRAY_SIZE(initial); i++) {
        switch (initial[i].reg) {
        case STUBDOMAIN_REG_REQUEST_LENGTH:
        case STUBDOMAIN_REG_DOORBELL:
        case STUBDOMAIN_REG_INT_ENABLE:
            continue;
        }
        rig_write(&rig, initial[i].reg, 0x5a5a5a5a);
    }
    rig_write(&rig, STUBDOMAIN_REG_HOST_TIME_LOW, 0x5a5a5a5a);
    rig_write(&rig, STUBDOMAIN_REG_HOST_TIME_HIGH, 0x5a5a5a5a);
    assert_initial(&rig);
    g_assert_cmphex(rig_read(&rig, STUBDOMAIN_REG_HOST_TIME_HIGH), ==, 0);
    rig_stop(&rig);
}

static void test_writable(void)
{
    static const uint32_t values[] = { 0xffffffff, 0x12345678, 0 };
    Rig rig = { };

    start_on(&rig, "q35");
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        rig_write(&rig, STUBDOMAIN_REG_REQUEST_LENGTH, values[i]);
        rig_write(&rig, STUBDOMAIN_REG_INT_ENABLE, ~values[i]);
        g_assert_cmphex(rig_read(&rig, STUBDOMAIN_REG_REQUEST_LENGTH), ==,
                        values[i]);
        g_assert_cmphex(rig_read(&rig, STUBDOMAIN_REG_INT_ENABLE), ==,
                        ~values[i]);
    }
    rig_stop(&rig);
}

/* Other widths, and other than natural alignment: ones, and no effect. */
static void test_access(void)
{
    Rig rig = { };

    start_on(&rig, "q35");
    rig_write(&rig, STUBDOMAIN_REG_REQUEST_LENGTH, 0x11223344);
    for (uint64_t offset = 0; offset < 0x40; offset++) {
        g_assert_cmphex(qpci_io_readb(rig.pci, rig.regs, offset), ==, 0xff);
        g_assert_cmphex(qpci_io_readw(rig.pci, rig.regs, offset), ==, 0xffff);
        g_assert_cmphex(qpci_io_readq(rig.pci, rig.regs, offset), ==,
                        UINT64_MAX);
        qpci_io_writeb(rig.pci, rig.regs, offset, 0);
        qpci_io_writew(rig.pci, rig.regs, offset, 0);
        qpci_io_writeq(rig.pci, rig.regs, offset, 0);
        if (offset % 4) {
            g_assert_cmphex(rig_read(&rig, offset), ==, 0xffffffff);
            rig_write(&rig, offset, 0);
        }
    }
    g_assert_cmphex(rig_read(&rig, STUBDOMAIN_REG_REQUEST_LENGTH), ==,
                    0x11223344);
    g_assert_cmphex(rig_read(&rig, STUBDOMAIN_REG_RESULT), ==,
                    STUBDOMAIN_RESULT_NONE);
    /* An access across the end of the registers. */
    qpci_io_writel(rig.pci, rig.regs, STUBDOMAIN_REGS_SIZE - 2, 0);
    qpci_io_readl(rig.pci, rig.regs, STUBDOMAIN_REGS_SIZE - 2);
    rig_assert_alive(&rig);
    rig_stop(&rig);
}

static uint64_t now_ns(void)
{
    return g_get_real_time() * 1000;
}

static uint64_t read_time(Rig *rig)
{
    uint64_t low = rig_read(rig, STUBDOMAIN_REG_HOST_TIME_LOW);

    return low | (uint64_t)rig_read(rig, STUBDOMAIN_REG_HOST_TIME_HIGH) << 32;
}

static void test_host_time(void)
{
    Rig rig = { };
    uint64_t before, time, after;

    start_on(&rig, "q35");
    before = now_ns();
    time = read_time(&rig);
    after = now_ns();
    g_assert_cmpuint(time, >=, before);
    g_assert_cmpuint(time, <=, after);

    /* The high half stays what it was, although the clock's has moved. */
    while (now_ns() >> 32 == time >> 32) {
        g_usleep(G_USEC_PER_SEC / 20);
    }
    g_assert_cmphex(rig_read(&rig, STUBDOMAIN_REG_HOST_TIME_HIGH), ==,
                    time >> 32);
    g_assert_cmphex(read_time(&rig) >> 32, >, time >> 32);
    rig_stop(&rig);
}

static void test_mailbox_is_memory(void)
{
    g_autofree uint8_t *written = g_malloc(STUBDOMAIN_MAILBOX_SIZE);
    g_autofree uint8_t *read = g_malloc(STUBDOMAIN_MAILBOX_SIZE);
    Rig rig = { };

    for (size_t i = 0; i < STUBDOMAIN_MAILBOX_SIZE; i++) {
        written[i] = i * 7 + i / 256;
    }
    start_on(&rig, "q35");
    qpci_memwrite(rig.pci, rig.mailbox, 0, written, STUBDOMAIN_MAILBOX_SIZE);
    qpci_memread(rig.pci, rig.mailbox, 0, read, STUBDOMAIN_MAILBOX_SIZE);
    g_assert_cmpmem(read, STUBDOMAIN_MAILBOX_SIZE, written,
                    STUBDOMAIN_MAILBOX_SIZE);
    qpci_io_writeb(rig.pci, rig.mailbox, 3, 0xa5);
    g_assert_cmphex(qpci_io_readb(rig.pci, rig.mailbox, 3), ==, 0xa5);
    rig_stop(&rig);
}

static void test_reset(const void *machine)
{
    Rig rig = { };
    QDict *info;

    start_on(&rig, machine);
    qobject_unref(rig_ask(&rig, "{'op': 'hello'}"));
    rig_write(&rig, STUBDOMAIN_REG_INT_ENABLE, 3);
    info = rig_query(&rig);
    g_assert_true(qdict_get_bool(info, "agent"));
    qobject_unref(info);

    qtest_system_reset(rig.qts);
    rig_map(&rig);
    assert_initial(&rig);
    info = rig_query(&rig);
    g_assert_false(qdict_get_bool(info, "agent"));
    qobject_unref(info);
    rig_stop(&rig);
}

static void add(const char *name, void (*test)(const void *machine))
{
    for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
        g_autofree char *path = g_strdup_printf("stubdomain/%s/%s", name,
                                                machines[i]);

        qtest_add_data_func(path, machines[i], test);
    }
}

void add_registers_tests(void)
{
    add("registers/identity", test_identity);
    add("registers/initial", test_initial);
    add("registers/reset", test_reset);
    qtest_add_func("stubdomain/registers/read-only", test_read_only);
    qtest_add_func("stubdomain/registers/writable", test_writable);
    qtest_add_func("stubdomain/registers/access", test_access);
    qtest_add_func("stubdomain/registers/host-time", test_host_time);
    qtest_add_func("stubdomain/registers/mailbox-is-memory",
                   test_mailbox_is_memory);
}
