/*
 * Stub domain: whether the vCPUs have nothing to do, for guests that do not say
 * so themselves.
 *
 * What their threads use of the host's processors tells it for each
 * accelerator: with KVM, a guest that halts does so in the kernel.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/core/cpu.h"
#include "hw/stubdomain/stubdomain.h"
#include "trace.h"

/* So many samples in a row make up the time; each must be idle. */
#define IDLE_SAMPLES 4
/* A guest that only keeps its timers uses less than this of one processor. */
#define IDLE_PERCENT 5

/* With one thread for several vCPUs, its time counts for each of them. */
static uint64_t vcpu_time(void)
{
    uint64_t total = 0;
    struct timespec used;
    clockid_t clock;
    CPUState *cpu;

    CPU_FOREACH(cpu) {
        if (pthread_getcpuclockid(cpu->thread->thread, &clock) == 0 &&
            clock_gettime(clock, &used) == 0) {
            total += used.tv_sec * NANOSECONDS_PER_SECOND + used.tv_nsec;
        }
    }
    return total;
}

static void begin_sample(StubdomainPCI *dev)
{
    dev->sampled_at = stubdomain_now();
    dev->vcpu_time = vcpu_time();
    timer_mod_ns(dev->idle_timer, dev->sampled_at +
                 MAX(dev->suspend_when_idle / IDLE_SAMPLES, 1) *
                 (uint64_t)SCALE_MS);
}

static void tell(StubdomainPCI *dev, bool idle)
{
    if (idle != dev->vcpus_idle) {
        trace_stubdomain_vcpus_idle(idle);
        dev->vcpus_idle = idle;
        sd_vcpus_idle(dev->core, idle, stubdomain_now());
        stubdomain_kick(dev);
    }
}

static void sample(void *opaque)
{
    StubdomainPCI *dev = opaque;
    uint64_t used = vcpu_time() - dev->vcpu_time;
    uint64_t passed = stubdomain_now() - dev->sampled_at;

    if (used > passed / 100 * IDLE_PERCENT) {
        dev->idle_samples = 0;
    } else if (dev->idle_samples < IDLE_SAMPLES) {
        dev->idle_samples++;
    }
    begin_sample(dev);
    tell(dev, dev->idle_samples == IDLE_SAMPLES);
}

void stubdomain_idle_restart(StubdomainPCI *dev)
{
    dev->idle_samples = 0;
    tell(dev, false);
    if (dev->suspend_when_idle && runstate_is_running()) {
        begin_sample(dev);
    } else {
        timer_del(dev->idle_timer);
    }
}

void stubdomain_idle_init(StubdomainPCI *dev)
{
    dev->idle_timer = timer_new_ns(QEMU_CLOCK_REALTIME, sample, dev);
}

void stubdomain_idle_cleanup(StubdomainPCI *dev)
{
    timer_free(dev->idle_timer);
}
