/*
 * stubdomain-pci: the PCI device by which a guest talks to its stub domain.
 *
 * Registers and mailbox are described in docs/specs/stubdomain-pci.rst.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/log.h"
#include "qemu/module.h"
#include "qapi/error.h"
#include "hw/pci/msix.h"
#include "hw/qdev-properties.h"
#include "hw/qdev-properties-system.h"
#include "hw/stubdomain/stubdomain.h"
#include "trace.h"

const char *stubdomain_name(StubdomainPCI *dev)
{
    DeviceState *d = DEVICE(dev);

    return d->id ?: d->canonical_path;
}

StubdomainPCI *stubdomain_find(Error **errp)
{
    Object *obj = object_resolve_path_type("", TYPE_STUBDOMAIN_PCI, NULL);

    if (!obj) {
        error_setg(errp, "this VM has no stubdomain-pci device");
        return NULL;
    }
    return STUBDOMAIN_PCI(obj);
}

void stubdomain_update_irq(StubdomainPCI *dev)
{
    PCIDevice *pci = PCI_DEVICE(dev);

    if (!msix_enabled(pci)) {
        pci_set_irq(pci, !!(dev->int_status & dev->int_enable));
    }
}

void stubdomain_interrupt(StubdomainPCI *dev, uint32_t bits)
{
    PCIDevice *pci = PCI_DEVICE(dev);

    dev->int_status |= bits;
    if (msix_enabled(pci)) {
        if (bits & dev->int_enable) {
            msix_notify(pci, 0);
        }
    } else {
        stubdomain_update_irq(dev);
    }
}

static uint32_t stubdomain_status(StubdomainPCI *dev)
{
    return (dev->ports[0] ? STUBDOMAIN_STATUS_NET : 0) |
           (dev->file ? STUBDOMAIN_STATUS_SUSPEND : 0);
}

static uint32_t stubdomain_host_time(StubdomainPCI *dev)
{
    uint64_t now = g_get_real_time() * 1000;

    dev->host_time_high = now >> 32;
    return now;
}

static uint64_t stubdomain_regs_read(void *opaque, hwaddr addr, unsigned size)
{
    StubdomainPCI *dev = opaque;
    uint32_t value = UINT32_MAX;

    if (size != 4) {
        qemu_log_mask(LOG_GUEST_ERROR, "stubdomain-pci: read of %u bytes at "
                      "0x%" HWADDR_PRIx "\n", size, addr);
        return MAKE_64BIT_MASK(0, size * 8);
    }
    switch (addr) {
    case STUBDOMAIN_REG_MAGIC:
        value = STUBDOMAIN_MAGIC;
        break;
    case STUBDOMAIN_REG_REVISION:
        value = STUBDOMAIN_REVISION;
        break;
    case STUBDOMAIN_REG_STATUS:
        value = stubdomain_status(dev);
        break;
    case STUBDOMAIN_REG_REQUEST_LENGTH:
        value = dev->request_length;
        break;
    case STUBDOMAIN_REG_RESULT:
        value = dev->result;
        break;
    case STUBDOMAIN_REG_RESPONSE_LENGTH:
        value = dev->response_length;
        break;
    case STUBDOMAIN_REG_INT_STATUS:
        value = dev->int_status;
        break;
    case STUBDOMAIN_REG_INT_ENABLE:
        value = dev->int_enable;
        break;
    case STUBDOMAIN_REG_RESTORES:
        value = dev->figures.restores;
        break;
    case STUBDOMAIN_REG_HOST_TIME_LOW:
        value = stubdomain_host_time(dev);
        break;
    case STUBDOMAIN_REG_HOST_TIME_HIGH:
        value = dev->host_time_high;
        break;
    default:
        qemu_log_mask(LOG_GUEST_ERROR, "stubdomain-pci: read of unknown "
                      "register 0x%" HWADDR_PRIx "\n", addr);
    }
    trace_stubdomain_reg_read(addr, value);
    return value;
}

static void stubdomain_regs_write(void *opaque, hwaddr addr, uint64_t value,
                                  unsigned size)
{
    StubdomainPCI *dev = opaque;

    if (size != 4) {
        qemu_log_mask(LOG_GUEST_ERROR, "stubdomain-pci: write of %u bytes at "
                      "0x%" HWADDR_PRIx "\n", size, addr);
        return;
    }
    trace_stubdomain_reg_write(addr, value);
    switch (addr) {
    case STUBDOMAIN_REG_REQUEST_LENGTH:
        dev->request_length = value;
        break;
    case STUBDOMAIN_REG_DOORBELL:
        stubdomain_handle_request(dev);
        break;
    case STUBDOMAIN_REG_INT_ACK:
        dev->int_status &= ~value;
        stubdomain_update_irq(dev);
        break;
    case STUBDOMAIN_REG_INT_ENABLE:
        dev->int_enable = value;
        stubdomain_update_irq(dev);
        break;
    default:
        qemu_log_mask(LOG_GUEST_ERROR, "stubdomain-pci: write to unknown or "
                      "read-only register 0x%" HWADDR_PRIx "\n", addr);
    }
}

static const MemoryRegionOps stubdomain_regs_ops = {
    .read = stubdomain_regs_read,
    .write = stubdomain_regs_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
    .impl = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
};

static void stubdomain_reset(DeviceState *d)
{
    StubdomainPCI *dev = STUBDOMAIN_PCI(d);

    dev->request_length = 0;
    dev->result = STUBDOMAIN_RESULT_NONE;
    dev->response_length = 0;
    dev->int_status = 0;
    dev->int_enable = 0;
    dev->ended_count = 0;
    dev->forgotten_stub = dev->last_stub;
    stubdomain_update_irq(dev);
    sd_on_reset(dev->core, stubdomain_now());
    stubdomain_kick(dev);
}

static void stubdomain_realize(PCIDevice *pci, Error **errp)
{
    StubdomainPCI *dev = STUBDOMAIN_PCI(pci);
    bool ambiguous = false;

    object_resolve_path_type("", TYPE_STUBDOMAIN_PCI, &ambiguous);
    if (ambiguous) {
        error_setg(errp, "a VM has one stubdomain-pci device at most; further "
                   "NICs join it with -object filter-stubdomain");
        return;
    }
    pci_config_set_interrupt_pin(pci->config, 1);
    memory_region_init_io(&dev->regs, OBJECT(dev), &stubdomain_regs_ops, dev,
                          "stubdomain-regs", STUBDOMAIN_REGS_SIZE);
    pci_register_bar(pci, STUBDOMAIN_BAR_REGS,
                     PCI_BASE_ADDRESS_SPACE_MEMORY, &dev->regs);
    if (!memory_region_init_ram(&dev->mailbox, OBJECT(dev),
                                "stubdomain-mailbox", STUBDOMAIN_MAILBOX_SIZE,
                                errp)) {
        return;
    }
    pci_register_bar(pci, STUBDOMAIN_BAR_MAILBOX,
                     PCI_BASE_ADDRESS_SPACE_MEMORY, &dev->mailbox);
    if (msix_init_exclusive_bar(pci, 1, STUBDOMAIN_BAR_MSIX, errp)) {
        return;
    }
    msix_vector_use(pci, 0);
    if (!stubdomain_run_init(dev, errp)) {
        goto fail;
    }
    if (!stubdomain_attach_netdev(dev, errp) ||
        !stubdomain_attach_waiting_filters(dev, errp)) {
        stubdomain_detach_filters(dev);
        stubdomain_run_cleanup(dev);
        goto fail;
    }
    return;

fail:
    msix_uninit_exclusive_bar(pci);
}

static void stubdomain_exit(PCIDevice *pci)
{
    StubdomainPCI *dev = STUBDOMAIN_PCI(pci);

    stubdomain_detach_filters(dev);
    stubdomain_run_cleanup(dev);
    msix_uninit_exclusive_bar(pci);
}

static const Property stubdomain_properties[] = {
    DEFINE_PROP_STRING("netdev", StubdomainPCI, netdev),
    DEFINE_PROP_STRING("suspend-dir", StubdomainPCI, suspend_dir),
    DEFINE_PROP_BOOL("page-checksums", StubdomainPCI, file_options.checksums,
                     false),
    DEFINE_PROP_STRING("encryption-secret", StubdomainPCI,
                       file_options.secret),
    /* The defaults of the bounds are the core's. */
    DEFINE_PROP_UNSIGNED_NODEFAULT("max-flows", StubdomainPCI,
                                   config.max_flows, qdev_prop_uint32,
                                   uint32_t),
    DEFINE_PROP_UNSIGNED_NODEFAULT("max-stubs", StubdomainPCI,
                                   config.max_stubs, qdev_prop_uint32,
                                   uint32_t),
    DEFINE_PROP_UNSIGNED_NODEFAULT("max-threads", StubdomainPCI,
                                   config.max_threads, qdev_prop_uint32,
                                   uint32_t),
    DEFINE_PROP_UNSIGNED_NODEFAULT("max-accepted", StubdomainPCI,
                                   config.max_accepted, qdev_prop_uint32,
                                   uint32_t),
    DEFINE_PROP_UNSIGNED_NODEFAULT("flow-buffer", StubdomainPCI,
                                   config.flow_buffer, qdev_prop_size,
                                   uint64_t),
    DEFINE_PROP_UNSIGNED_NODEFAULT("total-buffer", StubdomainPCI,
                                   config.total_buffer, qdev_prop_size,
                                   uint64_t),
    DEFINE_PROP_UNSIGNED_NODEFAULT("max-ranges", StubdomainPCI,
                                   config.max_ranges, qdev_prop_uint32,
                                   uint32_t),
    DEFINE_PROP_UNSIGNED_NODEFAULT("resend-buffer", StubdomainPCI,
                                   config.resend_buffer, qdev_prop_size,
                                   uint64_t),
    DEFINE_PROP_UNSIGNED_NODEFAULT("total-resend-buffer", StubdomainPCI,
                                   config.total_resend_buffer, qdev_prop_size,
                                   uint64_t),
    DEFINE_PROP_BOOL("scripts", StubdomainPCI, config.scripts, false),
};

static void stubdomain_instance_init(Object *obj)
{
    StubdomainPCI *dev = STUBDOMAIN_PCI(obj);

    sd_config_init(&dev->config);
    dev->file_options.working_set = true;
}

static void stubdomain_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    PCIDeviceClass *pc = PCI_DEVICE_CLASS(klass);

    pc->realize = stubdomain_realize;
    pc->exit = stubdomain_exit;
    pc->vendor_id = STUBDOMAIN_PCI_VENDOR_ID;
    pc->device_id = STUBDOMAIN_PCI_DEVICE_ID;
    pc->revision = STUBDOMAIN_REVISION;
    pc->class_id = PCI_CLASS_SYSTEM_OTHER;
    dc->desc = "Stub domain: suspend while waiting for a reply";
    dc->vmsd = &stubdomain_vmstate;
    dc->hotpluggable = false;
    device_class_set_legacy_reset(dc, stubdomain_reset);
    device_class_set_props(dc, stubdomain_properties);
    stubdomain_add_policy(klass);
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
}

static const TypeInfo stubdomain_types[] = {
    {
        .name = TYPE_STUBDOMAIN_PCI,
        .parent = TYPE_PCI_DEVICE,
        .instance_size = sizeof(StubdomainPCI),
        .instance_init = stubdomain_instance_init,
        .class_init = stubdomain_class_init,
        .interfaces = (InterfaceInfo[]) {
            { INTERFACE_CONVENTIONAL_PCI_DEVICE },
            { }
        },
    },
};

DEFINE_TYPES(stubdomain_types)
