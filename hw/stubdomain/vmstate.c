/*
 * stubdomain-pci: state for migration and for the suspend file.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "hw/pci/msix.h"
#include "hw/stubdomain/stubdomain.h"
#include "migration/vmstate.h"

static int stubdomain_pre_save(void *opaque)
{
    StubdomainPCI *dev = opaque;
    uint64_t now = stubdomain_now();

    g_free(dev->saved);
    dev->saved_size = sd_save(dev->core, now, NULL, 0);
    dev->saved = g_malloc(dev->saved_size);
    sd_save(dev->core, now, dev->saved, dev->saved_size);
    return 0;
}

static int stubdomain_post_save(void *opaque)
{
    StubdomainPCI *dev = opaque;

    g_clear_pointer(&dev->saved, g_free);
    return 0;
}

/* Before they are loaded. */
static bool ended_count_ok(void *opaque, int version_id)
{
    StubdomainPCI *dev = opaque;

    if (dev->ended_count > STUBDOMAIN_MAX_ENDED) {
        error_report("%s: %u ended waits, at most %u are possible",
                     stubdomain_name(dev), dev->ended_count,
                     STUBDOMAIN_MAX_ENDED);
        return false;
    }
    return true;
}

static bool ended_ok(StubdomainPCI *dev)
{
    for (uint32_t i = 0; i < dev->ended_count; i++) {
        if ((unsigned)dev->ended[i].outcome > SD_CANCELLED) {
            error_report("%s: an ended wait has outcome %u, which there is not",
                         stubdomain_name(dev), dev->ended[i].outcome);
            return false;
        }
        /* What is behind the name does not matter. */
        dev->ended[i].claim.handler[SD_HANDLER_MAX] = 0;
    }
    return true;
}

static int stubdomain_post_load(void *opaque, int version_id)
{
    StubdomainPCI *dev = opaque;
    g_autofree uint8_t *saved = g_steal_pointer(&dev->saved);
    enum sd_refusal refusal;
    struct sd_info info;

    if (!ended_ok(dev)) {
        return -EINVAL;
    }
    refusal = sd_load(dev->core, stubdomain_now(), saved, dev->saved_size);
    if (refusal != SD_OK) {
        error_report("%s: cannot load the stub domain's state: %s",
                     stubdomain_name(dev), sd_refusal_text(refusal));
        return -EINVAL;
    }
    sd_get_info(dev->core, &info);
    if (info.state != SD_RUNNING) {
        /*
         * A frame that came before this state was there waits for the guest,
         * and a backend such as tap reads no further before it is gone.
         */
        stubdomain_drop_queued(dev);
    }
    stubdomain_update_irq(dev);
    stubdomain_kick(dev);
    return 0;
}

static const VMStateDescription vmstate_stubdomain_ended = {
    .name = "stubdomain-pci/ended",
    .version_id = 2,
    .minimum_version_id = 2,
    .fields = (const VMStateField[]) {
        VMSTATE_UINT32(stub, struct sd_ended),
        VMSTATE_UINT32(outcome, struct sd_ended),
        VMSTATE_UINT64(bytes, struct sd_ended),
        VMSTATE_BUFFER_UNSAFE(claim.handler, struct sd_ended, 2,
                              SD_HANDLER_MAX + 1),
        VMSTATE_UINT32(claim.message, struct sd_ended),
        VMSTATE_UINT64(claim.offset, struct sd_ended),
        VMSTATE_END_OF_LIST()
    }
};

const VMStateDescription stubdomain_vmstate = {
    .name = TYPE_STUBDOMAIN_PCI,
    .version_id = 2,
    .minimum_version_id = 2,
    .pre_save = stubdomain_pre_save,
    .post_save = stubdomain_post_save,
    .post_load = stubdomain_post_load,
    .fields = (const VMStateField[]) {
        VMSTATE_PCI_DEVICE(parent_obj, StubdomainPCI),
        VMSTATE_MSIX(parent_obj, StubdomainPCI),
        VMSTATE_UINT32(request_length, StubdomainPCI),
        VMSTATE_UINT32(result, StubdomainPCI),
        VMSTATE_UINT32(response_length, StubdomainPCI),
        VMSTATE_UINT32(int_status, StubdomainPCI),
        VMSTATE_UINT32(int_enable, StubdomainPCI),
        VMSTATE_UINT32(host_time_high, StubdomainPCI),
        VMSTATE_UINT32(figures.restores, StubdomainPCI),
        VMSTATE_UINT32(ended_count, StubdomainPCI),
        VMSTATE_VALIDATE("number of ended waits", ended_count_ok),
        VMSTATE_STRUCT_VARRAY_UINT32(ended, StubdomainPCI, ended_count, 2,
                                     vmstate_stubdomain_ended,
                                     struct sd_ended),
        VMSTATE_UINT32(last_stub, StubdomainPCI),
        VMSTATE_UINT32(forgotten_stub, StubdomainPCI),
        VMSTATE_UINT32(saved_size, StubdomainPCI),
        VMSTATE_VBUFFER_ALLOC_UINT32(saved, StubdomainPCI, 1, NULL,
                                     saved_size),
        VMSTATE_END_OF_LIST()
    }
};
