/*
 * Stub domain: the core's effects on QEMU's run state, and back.
 *
 * One suspend: the core asks (suspend) -> prepare the file -> stop the vCPUs
 * -> workers write RAM -> written(). One wake: the core asks (restore), or
 * anybody starts the VM -> vm_changed() marks the file live before the vCPUs
 * run. Whoever cancels, and whenever, it is always vm_changed() that ends it.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-machine.h"
#include "qapi/qapi-events-stubdomain.h"
#include "qemu/error-report.h"
#include "qemu/guest-random.h"
#include "qemu/main-loop.h"
#include "qemu/units.h"
#include "block/aio.h"
#include "hw/stubdomain/stubdomain.h"
#include "system/system.h"
#include "trace.h"

/* Effects that come up during an incoming migration are tried again after. */
#define INCOMING_RETRY_NS (10 * SCALE_MS)

uint64_t stubdomain_now(void)
{
    return qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
}

/* The first bytes of a reply are there; the guest will be needed soon. */
static void expect_wake(StubdomainPCI *dev)
{
    struct sd_info info;

    sd_get_info(dev->core, &info);
    if (info.state == SD_SUSPENDED && info.kept > dev->kept_asleep &&
        !sd_pending(dev->core)) {
        suspend_file_expect_wake(dev->file);
    }
}

void stubdomain_kick(StubdomainPCI *dev)
{
    uint64_t deadline = sd_next_deadline(dev->core);

    if (dev->file) {
        expect_wake(dev);
    }
    if (sd_pending(dev->core)) {
        qemu_bh_schedule(dev->dispatch_bh);
    }
    if (deadline != SD_NEVER) {
        timer_mod(dev->timer, MIN(deadline, INT64_MAX));
    } else if (timer_pending(dev->timer)) {
        timer_del(dev->timer);
    }
}

static void dispatch(void *opaque)
{
    StubdomainPCI *dev = opaque;

    /* Nothing may start a VM that is still on its way in. */
    if (runstate_check(RUN_STATE_INMIGRATE)) {
        timer_mod(dev->timer, stubdomain_now() + INCOMING_RETRY_NS);
        return;
    }
    /* vm_stop() drains block devices, which may run bottom halves. */
    if (dev->dispatching) {
        return;
    }
    dev->dispatching = true;
    sd_dispatch(dev->core, stubdomain_now());
    dev->dispatching = false;
    stubdomain_kick(dev);
}

static void report_failure(StubdomainPCI *dev, Error *error)
{
    qapi_event_send_stubdomain_error(stubdomain_name(dev),
                                     error_get_pretty(error));
    error_free(error);
}

/* -- suspend -- */

bool stubdomain_can_suspend(StubdomainPCI *dev, bool evict, Error **errp)
{
    struct sd_info info;

    if (evict && !dev->file) {
        error_setg(errp, "%s has no suspend-dir", stubdomain_name(dev));
        return false;
    }
    sd_get_info(dev->core, &info);
    if (!runstate_is_running() && info.state != SD_IDLE) {
        error_setg(errp, "the VM is not running");
        return false;
    }
    return !evict || suspend_file_prepare(dev->file, errp);
}

static void run_after_failure(StubdomainPCI *dev, Error *error)
{
    report_failure(dev, error);
    dev->failed = true;
    sd_on_suspend_failed(dev->core, stubdomain_now());
    vm_start();
}

/* What the suspend cost, and what came back. */
static void measure_suspend(StubdomainPCI *dev)
{
    SuspendFileFigures figures;

    suspend_file_figures(dev->file, &figures);
    dev->costs.suspend_us = dev->figures.suspend_us;
    dev->costs.guest_bytes = figures.guest_ram;
    dev->costs.bytes_back = dev->resident_before > figures.resident ?
                            dev->resident_before - figures.resident : 0;
    sd_set_costs(dev->core, &dev->costs, stubdomain_now());
}

static void written(void *opaque, Error *error)
{
    StubdomainPCI *dev = opaque;
    struct sd_info info;
    uint64_t bytes;

    if (error) {
        run_after_failure(dev, error);
        return;
    }
    dev->figures.suspends++;
    dev->figures.suspend_us =
        (stubdomain_now() - dev->evicting_since) / SCALE_US;
    bytes = suspend_file_bytes_written(dev->file);
    trace_stubdomain_written(bytes, dev->figures.suspend_us);
    measure_suspend(dev);
    sd_on_suspended(dev->core, stubdomain_now());
    sd_get_info(dev->core, &info);
    dev->kept_asleep = info.kept;
    qapi_event_send_stubdomain_suspended(stubdomain_name(dev),
                                         suspend_file_path(dev->file),
                                         bytes, dev->figures.suspend_us);
    stubdomain_kick(dev);
}

static void on_fault(void *opaque, Error *error)
{
    report_failure(opaque, error);
}

/* Nothing changes before this, so that it can be refused. */
static void announce_suspend(StubdomainPCI *dev, bool evict)
{
    SuspendFileFigures figures;

    qapi_event_send_stubdomain_suspending(stubdomain_name(dev),
                                          evict ? STUBDOMAIN_DEPTH_EVICT
                                                : STUBDOMAIN_DEPTH_IDLE);
    if (evict) {
        suspend_file_figures(dev->file, &figures);
        dev->resident_before = figures.resident;
        dev->evicting_since = stubdomain_now();
    }
}

static void write_memory(StubdomainPCI *dev)
{
    Error *error = NULL;

    if (!suspend_file_write(dev->file, written, dev, &error)) {
        run_after_failure(dev, error);
    }
}

static void on_suspend(void *opaque, bool evict)
{
    StubdomainPCI *dev = opaque;
    Error *error = NULL;

    trace_stubdomain_suspend(evict);
    if (!stubdomain_can_suspend(dev, evict, &error)) {
        report_failure(dev, error);
        dev->figures.cancelled++;
        sd_on_suspend_failed(dev->core, stubdomain_now());
        return;
    }
    announce_suspend(dev, evict);
    vm_stop(RUN_STATE_PAUSED);
    dev->figures.idles += !evict;
    sd_on_stopped(dev->core, stubdomain_now());
    if (evict) {
        write_memory(dev);
    }
}

static void on_prepare(void *opaque, bool begins)
{
    trace_stubdomain_prepare(begins);
    stubdomain_interrupt(opaque, begins ? STUBDOMAIN_INT_SUSPENDING
                                        : STUBDOMAIN_INT_RESTORED);
}

static void on_evict(void *opaque)
{
    StubdomainPCI *dev = opaque;
    Error *error = NULL;

    trace_stubdomain_evict();
    if (!dev->file) {
        error_setg(&error, "%s has no suspend-dir", stubdomain_name(dev));
        run_after_failure(dev, error);
        return;
    }
    if (!suspend_file_prepare(dev->file, &error)) {
        run_after_failure(dev, error);
        return;
    }
    announce_suspend(dev, true);
    write_memory(dev);
}

/* -- wake -- */

/* The guest comes back, and is to give memory back by itself. */
static void shrink_guest(StubdomainPCI *dev)
{
    Error *error = NULL;

    if (dev->wake_memory) {
        qmp_balloon((int64_t)dev->wake_memory * MiB, &error);
    }
    if (error) {
        report_failure(dev, error);
    }
}

static void announce_wake(void *opaque)
{
    StubdomainPCI *dev = opaque;
    StubdomainRestoreReason reason = (StubdomainRestoreReason)dev->wake_reason;

    if (!dev->announce_due) {
        return;
    }
    dev->announce_due = false;
    if (dev->file) {
        /* Not before the vCPUs run, which it would only delay. */
        suspend_file_expect_wake(dev->file);
    }
    dev->figures.wake_reason = dev->wake_reason;
    dev->figures.wake_us = (stubdomain_now() - dev->woken_at) / SCALE_US;
    trace_stubdomain_running(dev->figures.wake_us);
    if (dev->was == SD_SUSPENDED) {
        dev->costs.wake_us = dev->figures.wake_us;
        sd_set_costs(dev->core, &dev->costs, stubdomain_now());
        shrink_guest(dev);
    }
    if (dev->was != SD_SUSPENDING) {
        qapi_event_send_stubdomain_restored(
            stubdomain_name(dev), reason,
            dev->was == SD_IDLE ? STUBDOMAIN_DEPTH_IDLE : STUBDOMAIN_DEPTH_EVICT,
            dev->figures.wake_us);
    } else {
        qapi_event_send_stubdomain_suspend_cancelled(stubdomain_name(dev),
                                                     reason);
    }
    dev->wake_reason = SD_REASON_HOST;
}

static void vm_changed(void *opaque, bool running, RunState state)
{
    StubdomainPCI *dev = opaque;
    struct sd_info info;

    stubdomain_idle_restart(dev);
    if (!running) {
        return;
    }
    sd_get_info(dev->core, &info);
    dev->wake_refused = false;
    if (info.state != SD_RUNNING) {
        dev->was = info.state;
        dev->woken_at = dev->wake_reason == SD_REASON_HOST ?
                        stubdomain_now() : info.condition_met;
        if (dev->was == SD_SUSPENDING) {
            dev->figures.cancelled++;
        } else {
            dev->figures.restores++;
        }
        stubdomain_interrupt(dev, STUBDOMAIN_INT_RESTORED);
        if (!dev->failed) {
            dev->announce_due = true;
            qemu_bh_schedule(dev->announce_bh);
        }
        dev->failed = false;
    }
    if (dev->file) {
        suspend_file_mark_live(dev->file);
    }
    stubdomain_fill_buffers(dev);
    sd_on_running(dev->core, stubdomain_now());
    stubdomain_kick(dev);
}

static void run(StubdomainPCI *dev)
{
    vm_start();
    /* Now, since the vCPUs compete with the main loop from here on. */
    announce_wake(dev);
}

static void read_back(void *opaque, Error *error)
{
    StubdomainPCI *dev = opaque;

    dev->wake_refused = error;
    if (error) {
        report_failure(dev, error);
    } else {
        run(dev);
    }
}

static void wake(StubdomainPCI *dev)
{
    Error *error = NULL;

    dev->wake_refused = dev->file &&
                        !suspend_file_check_readable(dev->file, &error);
    if (dev->wake_refused) {
        report_failure(dev, error);
    } else if (!dev->file ||
               !suspend_file_restore(dev->file, read_back, dev)) {
        run(dev);
    }
}

static void on_restore(void *opaque, enum sd_reason reason)
{
    StubdomainPCI *dev = opaque;

    trace_stubdomain_restore(reason);
    dev->wake_reason = reason;
    wake(dev);
}

bool stubdomain_retry_wake(StubdomainPCI *dev)
{
    if (!dev->wake_refused) {
        return false;
    }
    wake(dev);
    return true;
}

/* -- the other effects -- */

static bool on_send(void *opaque, unsigned port, enum sd_side to,
                    const struct sd_frame *frame)
{
    StubdomainPCI *dev = opaque;

    /* A NIC that is gone takes its frames with it. */
    return !dev->ports[port] ||
           stubdomain_filter_send(dev->ports[port], to, frame);
}

static void on_waiting(void *opaque, const struct sd_stub_info *info)
{
    StubdomainPCI *dev = opaque;
    g_autoptr(StubdomainFlow) flow =
        stubdomain_flow_to_qapi(info->protocol, &info->flow);

    trace_stubdomain_waiting(info->stub);
    qapi_event_send_stubdomain_wait(stubdomain_name(dev), info->stub,
                                    (StubdomainOwner)info->owner, flow);
}

static void tell_guest(StubdomainPCI *dev, const struct sd_ended *ended)
{
    /* It was another guest, before the reset, that waited for this. */
    if (ended->stub <= dev->forgotten_stub) {
        return;
    }
    if (dev->ended_count == STUBDOMAIN_MAX_ENDED) {
        dev->ended_count--;
        memmove(&dev->ended[0], &dev->ended[1],
                dev->ended_count * sizeof(dev->ended[0]));
    }
    dev->ended[dev->ended_count++] = *ended;
    stubdomain_interrupt(dev, STUBDOMAIN_INT_ENDED);
}

/* A view of @claim. */
static StubdomainPlanClaim claim_to_qapi(const struct sd_claim *claim)
{
    return (StubdomainPlanClaim) {
        .handler = (char *)claim->handler,
        .message = claim->message,
        .offset = claim->offset,
    };
}

static void on_alert(void *opaque, const struct sd_alert *alert)
{
    StubdomainPlanClaim claim = claim_to_qapi(&alert->claim);
    g_autofree char *data = g_base64_encode(alert->part, alert->length);

    qapi_event_send_stubdomain_alert(stubdomain_name(opaque), alert->stub,
                                     &claim, data, alert->at, alert->problem,
                                     alert->text);
}

static void on_ended(void *opaque, const struct sd_ended *ended)
{
    StubdomainPCI *dev = opaque;

    trace_stubdomain_ended(ended->stub, ended->outcome, ended->bytes);
    if (ended->outcome == SD_TIMED_OUT) {
        qapi_event_send_stubdomain_timeout(stubdomain_name(dev), ended->stub,
                                           ended->answered);
    } else if (ended->outcome != SD_CANCELLED) {
        StubdomainPlanClaim claim = claim_to_qapi(&ended->claim);

        qapi_event_send_stubdomain_reply(stubdomain_name(dev), ended->stub,
                                         (StubdomainOutcome)ended->outcome,
                                         ended->bytes,
                                         claim.handler[0] ? &claim : NULL);
    }
    if (ended->owner == SD_OWNER_GUEST) {
        tell_guest(dev, ended);
    }
}

static void on_unmatched(void *opaque, const char *description)
{
    qapi_event_send_stubdomain_unmatched(stubdomain_name(opaque), description);
}

static void on_suspend_cancelled(void *opaque, enum sd_reason reason)
{
    StubdomainPCI *dev = opaque;

    dev->figures.cancelled++;
    qapi_event_send_stubdomain_suspend_cancelled(
        stubdomain_name(dev), (StubdomainRestoreReason)reason);
}

/* -- life -- */

static void on_exit_qemu(Notifier *notifier, void *data)
{
    StubdomainPCI *dev = container_of(notifier, StubdomainPCI, exit_notifier);

    suspend_file_free(g_steal_pointer(&dev->file));
}

bool stubdomain_run_init(StubdomainPCI *dev, Error **errp)
{
    static const struct sd_callbacks callbacks = {
        .send = on_send,
        .suspend = on_suspend,
        .prepare = on_prepare,
        .evict = on_evict,
        .restore = on_restore,
        .waiting = on_waiting,
        .ended = on_ended,
        .alert = on_alert,
        .unmatched = on_unmatched,
        .suspend_cancelled = on_suspend_cancelled,
    };
    DeviceState *d = DEVICE(dev);
    uint8_t seed[SD_SEED_LENGTH];

    if (dev->config.max_stubs > STUBDOMAIN_MAX_ENDED) {
        error_setg(errp, "max-stubs is %u; it must be at most %u",
                   dev->config.max_stubs, STUBDOMAIN_MAX_ENDED);
        return false;
    }
    if (!suspend_file_check_options(&dev->file_options, errp)) {
        return false;
    }
    if (dev->suspend_dir) {
        if (!g_file_test(dev->suspend_dir, G_FILE_TEST_IS_DIR)) {
            error_setg(errp, "suspend-dir '%s' is not a directory",
                       dev->suspend_dir);
            return false;
        }
        dev->file = suspend_file_new(dev->suspend_dir, d->id ?: "stubdomain",
                                     &dev->file_options, on_fault, dev);
        dev->exit_notifier.notify = on_exit_qemu;
        qemu_add_exit_notifier(&dev->exit_notifier);
    }
    dev->wake_reason = SD_REASON_HOST;
    dev->core = sd_new(&dev->config, &callbacks, dev);
    qemu_guest_getrandom_nofail(seed, sizeof(seed));
    sd_seed(dev->core, seed);
    dev->dispatch_bh = qemu_bh_new(dispatch, dev);
    dev->announce_bh = qemu_bh_new(announce_wake, dev);
    dev->timer = timer_new_ns(QEMU_CLOCK_REALTIME, dispatch, dev);
    stubdomain_idle_init(dev);
    dev->vm_change = qemu_add_vm_change_state_handler(vm_changed, dev);
    return true;
}

void stubdomain_run_cleanup(StubdomainPCI *dev)
{
    qemu_del_vm_change_state_handler(dev->vm_change);
    stubdomain_idle_cleanup(dev);
    timer_free(dev->timer);
    qemu_bh_delete(dev->announce_bh);
    qemu_bh_delete(dev->dispatch_bh);
    if (dev->file) {
        qemu_remove_exit_notifier(&dev->exit_notifier);
        suspend_file_free(g_steal_pointer(&dev->file));
    }
    sd_free(g_steal_pointer(&dev->core));
}
