/*
 * Suspend file: a page of guest RAM that cannot be read from it.
 *
 * The disk fails, or somebody cut the file: Linux says so with SIGBUS, to the
 * thread that touched the page. The guest must not see anything else in its
 * place. So the VM is stopped, and whoever touched the page tries again:
 *
 * - a vCPU waits in the signal handler, and counts as stopped. When the VM is
 *   told to run it goes on where it was: it touches the page again;
 * - any other thread that may wait (a migration's, say) tries again from time
 *   to time;
 * - the main loop and I/O threads, which emulate devices, cannot wait. If
 *   reading the page a second time fails too, they get zeros, and a VM that ran
 *   is lost: it cannot run on before it was reset.
 *
 * While a vCPU waits, it is in the middle of an instruction: the VM cannot be
 * saved.
 *
 * A file that is cut while the VM runs is another matter: Linux throws the
 * private copies away, too. That VM is lost in any case.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <sys/mman.h>
#include "block/aio.h"
#include "hw/core/cpu.h"
#include "hw/stubdomain/suspend-file-internal.h"
#include "hw/stubdomain/suspend-memory.h"
#include "hw/stubdomain/suspend-restore.h"
#include "migration/blocker.h"
#include "qapi/error.h"
#include "qemu/lockable.h"
#include "qemu/main-loop.h"
#include "system/runstate.h"

/* A thread that waits looks, or tries again, so often. */
#define VCPU_POLL_US (10 * 1000)
#define RETRY_US (100 * 1000)

static struct sigaction former;
static QEMUBH *fault_bh;
static Error *blocker;

/* Of the latest fault; set by the handler, read by the bottom half. */
static const uint8_t *fault_address;
static bool fault_lost;
/* Main loop: since the VM last ran. */
static bool told;

/* The VM is stopped, and cannot be saved, until it runs again. */
static void block_migration(void)
{
    if (!blocker) {
        error_setg(&blocker, "the VM stopped where a page of its memory could "
                   "not be read from the suspend file");
        migrate_add_blocker(&blocker, NULL);
    }
}

void suspend_fault_forget(void)
{
    told = false;
    if (blocker) {
        migrate_del_blocker(&blocker);
    }
}

bool suspend_fault_stopped(void)
{
    return blocker && runstate_check(RUN_STATE_IO_ERROR);
}

/* Nothing but a reader of a sleeping guest's memory got zeros: undo it. */
static bool undo(SuspendFile *file)
{
    SuspendImage *image = file->image;

    if (image->mark != SD_SUSPEND_MARK_SUSPENDED) {
        return false;
    }
    suspend_eager_abandon(file);
    QEMU_LOCK_GUARD(&image->lock);
    for (size_t i = 0; i < image->block_count; i++) {
        SuspendBlock *block = &image->blocks[i];

        if (block->mapping && block->mapping->patched &&
            !suspend_remap(image, block, 0, block->length, NULL)) {
            return false;
        }
    }
    return true;
}

static void report(void *opaque)
{
    const uint8_t *address = qatomic_read(&fault_address);
    SuspendFile *file = suspend_file_of(suspend_mapping_at(address));
    bool lost = qatomic_read(&fault_lost);
    Error *error = NULL;
    struct stat st;

    /* Who tries again and again does not need to be told each time. */
    if (!runstate_is_running() && !lost && told) {
        return;
    }
    told = true;
    if (lost && file && undo(file)) {
        lost = false;
    }
    if (file && fstat(file->image->fd, &st) == 0 &&
        st.st_size < file->image->length_awake) {
        error_setg(&error, "suspend file '%s' was cut while the VM ran; its "
                   "memory is lost", file->path);
        lost = true;
    } else {
        error_setg(&error, "memory cannot be read from suspend file '%s'%s",
                   file ? file->path : "(removed)",
                   lost ? "; the VM is lost, and can only be reset" : "");
    }
    if (lost || runstate_is_running()) {
        vm_stop_force_state(lost ? RUN_STATE_INTERNAL_ERROR
                                 : RUN_STATE_IO_ERROR);
        block_migration();
    }
    qatomic_set(&fault_lost, false);
    if (file) {
        file->fault(file->opaque, error);
    } else {
        error_report_err(error);
    }
}

/* -- in the handler: nothing that is not safe there -- */

static void wait_as_stopped(CPUState *cpu)
{
    bool locked = bql_locked();

    if (!locked) {
        bql_lock();
    }
    cpu_pause(cpu);
    bql_unlock();
    while (qatomic_read(&cpu->stopped)) {
        usleep(VCPU_POLL_US);
    }
    if (locked) {
        bql_lock();
    }
}

static void wait_a_moment(void)
{
    bool locked = bql_locked();

    if (locked) {
        bql_unlock();
    }
    usleep(RETRY_US);
    if (locked) {
        bql_lock();
    }
}

/* The main loop, or an I/O thread's. */
static bool in_event_loop(void)
{
    AioContext *context = qemu_get_current_aio_context();

    return gettid() == getpid() ||
           (context && context != qemu_get_aio_context());
}

/* Put a page in place: the right one if it can be read at all, or zeros. */
static void put_page(SuspendMapping *mapping, uint8_t *page)
{
    size_t size = qemu_real_host_page_size();
    uint8_t *copy = mmap(NULL, size, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    SuspendImage *image = qatomic_read(&mapping->image);
    off_t offset = mapping->pages + (page - mapping->host);

    if (!image || page - mapping->host >= mapping->mapped ||
        pread(image->fd, copy, size, offset) != size) {
        qatomic_set(&fault_lost, true);
    }
    qatomic_set(&mapping->patched, true);
    mremap(copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, page);
}

static void on_sigbus(int number, siginfo_t *info, void *context)
{
    uint8_t *address = info->si_addr;
    SuspendMapping *mapping = info->si_code == BUS_ADRERR
                              ? suspend_mapping_at(address) : NULL;
    int saved_errno = errno;

    if (!mapping) {
        if (former.sa_flags & SA_SIGINFO) {
            former.sa_sigaction(number, info, context);
        } else {
            /* The access happens again, and ends QEMU as it always has. */
            sigaction(SIGBUS, &former, NULL);
        }
        return;
    }
    qatomic_set(&fault_address, address);
    if (current_cpu) {
        qemu_bh_schedule(fault_bh);
        wait_as_stopped(current_cpu);
    } else if (in_event_loop()) {
        put_page(mapping, (uint8_t *)QEMU_ALIGN_PTR_DOWN(
                              address, qemu_real_host_page_size()));
        if (qatomic_read(&fault_lost)) {
            qemu_bh_schedule(fault_bh);
        }
    } else {
        qemu_bh_schedule(fault_bh);
        wait_a_moment();
    }
    errno = saved_errno;
}

void suspend_fault_zeros(const uint8_t *address)
{
    SuspendMapping *mapping;

    RCU_READ_LOCK_GUARD();
    mapping = suspend_mapping_at(address);
    if (mapping) {
        qatomic_set(&mapping->patched, true);
    }
    qatomic_set(&fault_address, address);
    qatomic_set(&fault_lost, true);
    qemu_bh_schedule(fault_bh);
}

void suspend_fault_init(void)
{
    struct sigaction action = {
        .sa_sigaction = on_sigbus,
        .sa_flags = SA_SIGINFO,
    };
    sigset_t set;

    if (fault_bh) {
        return;
    }
    fault_bh = qemu_bh_new(report, NULL);
    sigaction(SIGBUS, &action, &former);
    /* Threads have it unblocked; the main loop's comes by signalfd so far. */
    sigemptyset(&set);
    sigaddset(&set, SIGBUS);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}
