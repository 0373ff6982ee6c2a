/*
 * stubdomain-pci: policy, which are properties that may change while the VM
 * runs (qom-set).
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "hw/stubdomain/stubdomain.h"

static const struct {
    const char *name;
    size_t offset;
    const char *description;
    uint32_t max; /* 0: any number */
} policy_numbers[] = {
    { "suspend-delay", offsetof(StubdomainPCI, config.suspend_delay_ms),
      "Milliseconds from a wait message to the suspend that it proposes" },
    { "ready-timeout", offsetof(StubdomainPCI, config.ready_timeout_ms),
      "Milliseconds for which a restored guest's agent may take to be ready" },
    { "prepare-timeout", offsetof(StubdomainPCI, config.prepare_timeout_ms),
      "Milliseconds for which an agent that runs hooks before a suspend may "
      "take; 0: it is not told" },
    { "keepalive", offsetof(StubdomainPCI, config.keepalive_ms),
      "Milliseconds between keep-alives to the peers of a suspended guest; "
      "0: none" },
    { "pause-threads", offsetof(StubdomainPCI, config.policy.pause_threads),
      "Registered threads that must wait before a suspend; 0: as many as "
      "pause-share says" },
    { "pause-share", offsetof(StubdomainPCI, config.policy.pause_share),
      "Percent of the registered threads that must wait before a suspend",
      100 },
    { "wake-replies", offsetof(StubdomainPCI, config.policy.wake_replies),
      "Replies that must have come to wake a suspended guest" },
    { "wake-share", offsetof(StubdomainPCI, config.policy.wake_share),
      "Percent of the awaited replies that must have come as well", 100 },
    { "wake-importance", offsetof(StubdomainPCI, config.policy.wake_importance),
      "Importance of a reply that wakes a suspended guest at once; 6: none",
      SD_MAX_IMPORTANCE + 1 },
    { "suspend-interval", offsetof(StubdomainPCI,
                                   config.policy.min_interval_ms),
      "Milliseconds from a restore to the next suspend that waits propose" },
    { "suspend-budget", offsetof(StubdomainPCI, config.policy.budget),
      "Suspends in any minute that waits may propose; 0: any number",
      SD_MAX_BUDGET },
    { "threshold", offsetof(StubdomainPCI, config.policy.threshold_ms),
      "Milliseconds that a wait must be expected to last for a suspend" },
    { "vm-value", offsetof(StubdomainPCI, config.policy.value),
      "Percent: what it costs that the VM does not run, beside its memory; "
      "0: nothing" },
    { "learned-quantile", offsetof(StubdomainPCI, config.policy.learned),
      "Percent of past replies that took longer than what is expected of the "
      "next; 0: nothing is learned", 100 },
    { "wake-memory", offsetof(StubdomainPCI, wake_memory),
      "MiB that a guest is to make do with after its memory was given back, by "
      "its balloon; 0: as before" },
    { "evict-delay", offsetof(StubdomainPCI, config.policy.evict_delay_ms),
      "Milliseconds from the stop of the vCPUs until memory is given back" },
    { "suspend-when-idle", offsetof(StubdomainPCI, suspend_when_idle),
      "Milliseconds for which the vCPUs must be idle for a suspend that nobody "
      "asks for; 0: there is none" },
};

static void policy_changed(StubdomainPCI *dev)
{
    if (dev->core) {
        sd_set_config(dev->core, &dev->config);
        stubdomain_idle_restart(dev);
        stubdomain_kick(dev);
    }
}

static void get_policy_number(Object *obj, Visitor *v, const char *name,
                              void *opaque, Error **errp)
{
    uint32_t *field = (void *)obj + policy_numbers[(uintptr_t)opaque].offset;

    visit_type_uint32(v, name, field, errp);
}

static void set_policy_number(Object *obj, Visitor *v, const char *name,
                              void *opaque, Error **errp)
{
    size_t i = (uintptr_t)opaque;
    uint32_t *field = (void *)obj + policy_numbers[i].offset;
    uint32_t value;

    if (!visit_type_uint32(v, name, &value, errp)) {
        return;
    }
    if (policy_numbers[i].max && value > policy_numbers[i].max) {
        error_setg(errp, "%s: must be 0 to %u", name, policy_numbers[i].max);
        return;
    }
    *field = value;
    policy_changed(STUBDOMAIN_PCI(obj));
}

static int get_depth(Object *obj, Error **errp)
{
    return STUBDOMAIN_PCI(obj)->config.policy.depth;
}

static void set_depth(Object *obj, int value, Error **errp)
{
    StubdomainPCI *dev = STUBDOMAIN_PCI(obj);

    dev->config.policy.depth = value;
    policy_changed(dev);
}

static int get_unmatched(Object *obj, Error **errp)
{
    return STUBDOMAIN_PCI(obj)->config.unmatched;
}

static void set_unmatched(Object *obj, int value, Error **errp)
{
    StubdomainPCI *dev = STUBDOMAIN_PCI(obj);

    dev->config.unmatched = value;
    policy_changed(dev);
}

static int get_reclaim(Object *obj, Error **errp)
{
    return STUBDOMAIN_PCI(obj)->file_options.keep_cache
           ? STUBDOMAIN_RECLAIM_LAZY : STUBDOMAIN_RECLAIM_FULL;
}

static void set_reclaim(Object *obj, int value, Error **errp)
{
    STUBDOMAIN_PCI(obj)->file_options.keep_cache =
        value == STUBDOMAIN_RECLAIM_LAZY;
}

static int get_restore(Object *obj, Error **errp)
{
    return STUBDOMAIN_PCI(obj)->file_options.eager
           ? STUBDOMAIN_RESTORE_MODE_EAGER : STUBDOMAIN_RESTORE_MODE_LAZY;
}

static void set_restore(Object *obj, int value, Error **errp)
{
    StubdomainPCI *dev = STUBDOMAIN_PCI(obj);
    SuspendFileOptions options = dev->file_options;

    options.eager = value == STUBDOMAIN_RESTORE_MODE_EAGER;
    /* Before, the secret may come yet, or may go with what comes. */
    if (!DEVICE(dev)->realized || suspend_file_check_options(&options, errp)) {
        dev->file_options.eager = options.eager;
    }
}

static bool get_working_set(Object *obj, Error **errp)
{
    return STUBDOMAIN_PCI(obj)->file_options.working_set;
}

static void set_working_set(Object *obj, bool value, Error **errp)
{
    STUBDOMAIN_PCI(obj)->file_options.working_set = value;
}

static bool get_pressure(Object *obj, Error **errp)
{
    return STUBDOMAIN_PCI(obj)->watch_pressure;
}

static void set_pressure(Object *obj, bool value, Error **errp)
{
    STUBDOMAIN_PCI(obj)->watch_pressure = value;
}

void stubdomain_add_policy(ObjectClass *klass)
{
    for (uintptr_t i = 0; i < ARRAY_SIZE(policy_numbers); i++) {
        object_class_property_add(klass, policy_numbers[i].name, "uint32",
                                  get_policy_number, set_policy_number, NULL,
                                  (void *)i);
        object_class_property_set_description(klass, policy_numbers[i].name,
                                              policy_numbers[i].description);
    }
    object_class_property_add_enum(klass, "depth", "StubdomainDepth",
                                   &StubdomainDepth_lookup,
                                   get_depth, set_depth);
    object_class_property_set_description(klass, "depth",
        "How deep the VM sleeps: idle, evict or auto");
    object_class_property_add_enum(klass, "unmatched", "StubdomainUnmatched",
                                   &StubdomainUnmatched_lookup,
                                   get_unmatched, set_unmatched);
    object_class_property_set_description(klass, "unmatched",
        "What to do when something comes for a suspended guest that no "
        "listener stub waits for: ignore, alert or restore");
    object_class_property_add_enum(klass, "reclaim", "StubdomainReclaim",
                                   &StubdomainReclaim_lookup,
                                   get_reclaim, set_reclaim);
    object_class_property_set_description(klass, "reclaim",
        "What of a suspended guest's memory the host gets: full, or lazy, "
        "which leaves the suspend file in the page cache");
    object_class_property_add_enum(klass, "restore", "StubdomainRestoreMode",
                                   &StubdomainRestoreMode_lookup,
                                   get_restore, set_restore);
    object_class_property_set_description(klass, "restore",
        "How memory comes back: lazy, page by page as the guest touches it, or "
        "eager, all of it before the guest runs");
    object_class_property_add_bool(klass, "working-set", get_working_set,
                                   set_working_set);
    object_class_property_set_description(klass, "working-set",
        "Whether a wake reads ahead what the last one touched first");
    object_class_property_add_bool(klass, "pressure", get_pressure,
                                   set_pressure);
    object_class_property_set_description(klass, "pressure",
        "Whether scarce memory on the host makes suspends worth more");
}
