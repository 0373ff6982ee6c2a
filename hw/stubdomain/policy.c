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
} policy_times[] = {
    { "suspend-delay", offsetof(StubdomainPCI, config.suspend_delay_ms),
      "Milliseconds from a wait message to the suspend that it proposes" },
    { "ready-timeout", offsetof(StubdomainPCI, config.ready_timeout_ms),
      "Milliseconds for which a restored guest's agent may take to be ready" },
    { "keepalive", offsetof(StubdomainPCI, config.keepalive_ms),
      "Milliseconds between keep-alives to the peers of a suspended guest; "
      "0: none" },
};

static void policy_changed(StubdomainPCI *dev)
{
    if (dev->core) {
        sd_set_config(dev->core, &dev->config);
        stubdomain_kick(dev);
    }
}

static void get_policy_time(Object *obj, Visitor *v, const char *name,
                            void *opaque, Error **errp)
{
    uint32_t *field = (void *)obj + (uintptr_t)opaque;

    visit_type_uint32(v, name, field, errp);
}

static void set_policy_time(Object *obj, Visitor *v, const char *name,
                            void *opaque, Error **errp)
{
    uint32_t *field = (void *)obj + (uintptr_t)opaque;

    if (visit_type_uint32(v, name, field, errp)) {
        policy_changed(STUBDOMAIN_PCI(obj));
    }
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

static bool get_working_set(Object *obj, Error **errp)
{
    return STUBDOMAIN_PCI(obj)->file_options.working_set;
}

static void set_working_set(Object *obj, bool value, Error **errp)
{
    STUBDOMAIN_PCI(obj)->file_options.working_set = value;
}

void stubdomain_add_policy(ObjectClass *klass)
{
    for (size_t i = 0; i < ARRAY_SIZE(policy_times); i++) {
        object_class_property_add(klass, policy_times[i].name, "uint32",
                                  get_policy_time, set_policy_time, NULL,
                                  (void *)policy_times[i].offset);
        object_class_property_set_description(klass, policy_times[i].name,
                                              policy_times[i].description);
    }
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
    object_class_property_add_bool(klass, "working-set", get_working_set,
                                   set_working_set);
    object_class_property_set_description(klass, "working-set",
        "Whether a wake reads ahead what the last one touched first");
}
