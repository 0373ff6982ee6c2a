/*
 * The stubdomain-pci device, as its parts see it.
 *
 * One device makes one stub domain: it owns the core, the suspend file and the
 * link to each NIC's filter. Everything here runs in the main loop or a vCPU
 * thread with the BQL held.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_STUBDOMAIN_H
#define HW_STUBDOMAIN_H

#include "hw/pci/pci_device.h"
#include "hw/stubdomain/regs.h"
#include "hw/stubdomain/suspend-file.h"
#include "qapi/qapi-types-stubdomain.h"
#include "qemu/timer.h"
#include "stubdomain/stubdomain.h"
#include "system/runstate.h"

#define TYPE_STUBDOMAIN_PCI "stubdomain-pci"
OBJECT_DECLARE_SIMPLE_TYPE(StubdomainPCI, STUBDOMAIN_PCI)

#define TYPE_FILTER_STUBDOMAIN "filter-stubdomain"
OBJECT_DECLARE_SIMPLE_TYPE(FilterStubdomain, FILTER_STUBDOMAIN)

/*
 * Ended waits that the guest has not asked for; the oldest is forgotten. All
 * open waits may end at once, so there are no more of them.
 */
#define STUBDOMAIN_MAX_ENDED 1024

typedef struct StubdomainFigures {
    uint32_t suspends;
    uint32_t cancelled;
    uint32_t restores;
    uint32_t idles;
    uint64_t suspend_us;
    uint64_t wake_us;
    enum sd_reason wake_reason;
} StubdomainFigures;

struct StubdomainPCI {
    PCIDevice parent_obj;

    MemoryRegion regs;
    MemoryRegion mailbox;

    /* properties */
    char *netdev;
    char *suspend_dir;
    SuspendFileOptions file_options;
    struct sd_config config;
    bool watch_pressure;
    uint32_t suspend_when_idle; /* ms; 0: not for that */
    uint32_t wake_memory;       /* MiB; 0: as before */

    /* registers */
    uint32_t request_length;
    uint32_t result;
    uint32_t response_length;
    uint32_t int_status;
    uint32_t int_enable;
    uint32_t host_time_high;

    /* waits of the guest that ended, oldest first, for "results" */
    struct sd_ended ended[STUBDOMAIN_MAX_ENDED];
    uint32_t ended_count;
    uint32_t last_stub;      /* newest that the guest laid */
    uint32_t forgotten_stub; /* newest that it laid before its last reset */

    sd_stub *core;
    QEMUBH *dispatch_bh;
    QEMUBH *announce_bh;
    QEMUTimer *timer;
    bool dispatching;           /* inside sd_dispatch() */
    FilterStubdomain *ports[SD_MAX_NICS];
    FilterStubdomain *own_filter;

    QEMUTimer *idle_timer;
    uint64_t vcpu_time;         /* ns that the vCPUs ran, at the last sample */
    uint64_t sampled_at;        /* ns */
    uint32_t idle_samples;      /* in a row */
    bool vcpus_idle;            /* as the core was told */

    SuspendFile *file;
    VMChangeStateEntry *vm_change;
    Notifier exit_notifier;
    uint64_t kept_asleep;       /* bytes kept for the guest as it fell asleep */
    uint64_t resident_before;   /* the suspend under way: bytes of guest RAM */
    struct sd_costs costs;
    uint64_t evicting_since;    /* ns, for the figures */
    uint64_t woken_at;          /* ns: condition met, of the wake under way */
    enum sd_reason wake_reason; /* of the wake under way */
    enum sd_state was;          /* that the wake under way ends */
    bool wake_refused;          /* as the suspend file cannot be read */
    bool announce_due;          /* the wake has not been reported */
    bool failed;                /* the suspend failed, which was reported */
    StubdomainFigures figures;

    /* serial form of the core, while the device's state is saved or loaded */
    uint8_t *saved;
    uint32_t saved_size;
};

/*
 * Name of the device for users: its id, or its QOM path. Valid as long as the
 * device is.
 */
const char *stubdomain_name(StubdomainPCI *dev);

/* The VM's stub domain, or NULL with @errp set. */
StubdomainPCI *stubdomain_find(Error **errp);

/* stubdomain-pci.c: drive the interrupt line as the registers say. */
void stubdomain_update_irq(StubdomainPCI *dev);
/* Set bits of INT_STATUS, and interrupt if enabled. */
void stubdomain_interrupt(StubdomainPCI *dev, uint32_t bits);

/* pressure.c: tell the core how scarce memory is, if it is to know. */
void stubdomain_read_pressure(StubdomainPCI *dev);

/* idle.c: tell the core when the vCPUs have nothing to do, if it is to know. */
void stubdomain_idle_init(StubdomainPCI *dev);
void stubdomain_idle_cleanup(StubdomainPCI *dev);
/* The property or the run state has changed. */
void stubdomain_idle_restart(StubdomainPCI *dev);

/* policy.c */
void stubdomain_add_policy(ObjectClass *klass);

/* vmstate.c */
extern const VMStateDescription stubdomain_vmstate;

/* mailbox.c: handle the request in the mailbox. */
void stubdomain_handle_request(StubdomainPCI *dev);

/* runstate.c */
uint64_t stubdomain_now(void);
bool stubdomain_run_init(StubdomainPCI *dev, Error **errp);
void stubdomain_run_cleanup(StubdomainPCI *dev);
/* After any event function of the core: see convention 2 of its API. */
void stubdomain_kick(StubdomainPCI *dev);
/* Try again a wake that was refused; false: none was. */
bool stubdomain_retry_wake(StubdomainPCI *dev);
/* Check now what a later suspend needs; @evict: memory goes, too. */
bool stubdomain_can_suspend(StubdomainPCI *dev, bool evict, Error **errp);

/* filter-stubdomain.c */
bool stubdomain_attach_netdev(StubdomainPCI *dev, Error **errp);
bool stubdomain_attach_waiting_filters(StubdomainPCI *dev, Error **errp);
void stubdomain_detach_filters(StubdomainPCI *dev);
bool stubdomain_filter_send(FilterStubdomain *filter, enum sd_side to,
                            const struct sd_frame *frame);
/* Drop what waits for the guest in the NICs' queues. */
void stubdomain_drop_queued(StubdomainPCI *dev);

/* buffer.c */
bool stubdomain_buffer_from_qapi(const StubdomainBuffer *buffer,
                                 struct sd_buffer *out, Error **errp);
/* With the vCPUs stopped, right before they run again. */
void stubdomain_fill_buffers(StubdomainPCI *dev);

/* convert.c: between QAPI's types and the core's. */
bool stubdomain_wait_from_qapi(StubdomainPCI *dev, const StubdomainWait *wait,
                               enum sd_owner owner, struct sd_wait *out,
                               Error **errp);
/* Whether @plan can be that of a wait for a reply. */
bool stubdomain_check_plan(StubdomainPCI *dev, StubdomainPlan *plan,
                           Error **errp);
/* Frees what stubdomain_wait_from_qapi() allocated; the wait may be laid. */
void stubdomain_wait_clear(struct sd_wait *wait);
/* The connection that @flow names: the peer in full, the guest at least so that
 * one connection matches. */
bool stubdomain_flow_from_qapi(const StubdomainFlow *flow,
                               struct sd_flow_id *out, Error **errp);
StubdomainFlow *stubdomain_flow_to_qapi(enum sd_protocol protocol,
                                        const struct sd_flow_id *flow);
StubdomainFlowParameters *
stubdomain_parameters_to_qapi(const struct sd_flow_parameters *parameters);
StubdomainStubInfoList *stubdomain_stubs_to_qapi(StubdomainPCI *dev,
                                                 size_t max);
StubdomainThreadInfoList *stubdomain_threads_to_qapi(StubdomainPCI *dev);
/* @for_guest: without what a guest is not to know of its host. */
StubdomainDecisionList *stubdomain_decisions_to_qapi(StubdomainPCI *dev,
                                                     bool for_guest);
StubdomainGivenBack *stubdomain_given_back_to_qapi(StubdomainPCI *dev);

#endif
