/*
 * Suspend file: guest RAM and device state in a file, and the file mapped
 * over guest RAM.
 *
 * The format is docs/interop/stubdomain-suspend-file.rst. All functions are
 * called with the BQL held, from the main loop, unless they say otherwise.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_STUBDOMAIN_SUSPEND_FILE_H
#define HW_STUBDOMAIN_SUSPEND_FILE_H

#include "qemu/osdep.h"
#include "qapi/error.h"

typedef struct SuspendFile SuspendFile;

/*
 * The write is finished: *errp-style. @error is NULL when guest RAM was given
 * back; otherwise nothing changed for the guest, it may run on, and the
 * callee owns @error. Runs in the main loop. Not called after a cancel.
 */
typedef void SuspendFileDone(void *opaque, Error *error);

typedef struct SuspendFileFigures {
    uint64_t guest_ram;     /* bytes of RAM that a suspend gives back */
    uint64_t resident;      /* of those: resident, plus the file's page cache */
    uint64_t bytes_written; /* as suspend_file_bytes_written() */
} SuspendFileFigures;

typedef struct SuspendFileOptions {
    bool working_set;       /* read ahead what the last wake touched first */
    bool keep_cache;        /* leave the file in the page cache */
    bool eager;             /* read all of guest RAM back before it runs */
    bool checksums;         /* each page gets one */
    char *secret;           /* secret object to encrypt with; NULL: none */
} SuspendFileOptions;

/*
 * A page of guest RAM could not be read, and the VM was stopped. Runs in the
 * main loop; the callee owns @error.
 */
typedef void SuspendFileFault(void *opaque, Error *error);

/* Whether @options go together, and can be had. */
bool suspend_file_check_options(const SuspendFileOptions *options,
                                Error **errp);

/*
 * A suspend file in directory @dir for the device called @name. Nothing is
 * created before the first suspend_file_prepare(). @options may change at any
 * time; they are read when they matter.
 */
SuspendFile *suspend_file_new(const char *dir, const char *name,
                              const SuspendFileOptions *options,
                              SuspendFileFault *fault, void *opaque);

/*
 * Let go of the file, at unplug or as QEMU exits; cancels a write that has
 * begun. The file is removed, unless the VM is suspended in it and QEMU was
 * told to quit: then it stays, for a new QEMU to restore. Guest RAM that is
 * mapped from it stays as it is: the inode lives as long as the mapping.
 */
void suspend_file_free(SuspendFile *file);

/* Full path. */
const char *suspend_file_path(const SuspendFile *file);

/* Bytes that the last finished suspend wrote; 0: there was none. */
uint64_t suspend_file_bytes_written(const SuspendFile *file);

/*
 * To be called while the guest still runs: create and lock the file; check the
 * space, and that all guest RAM can be given back. Idempotent; cheap when
 * nothing changed. Returns false with @errp set, and nothing changed for the
 * guest.
 */
bool suspend_file_prepare(SuspendFile *file, Error **errp);

/*
 * The vCPUs are stopped: save the device state, then write RAM in worker
 * threads, map the file over it and drop its page cache, then call @done.
 * Returns false with @errp set if it cannot even begin (@done is not called).
 */
bool suspend_file_write(SuspendFile *file, SuspendFileDone *done, void *opaque,
                        Error **errp);

/*
 * Give up a write that has begun: @done will not be called. Returns at once;
 * workers end by themselves. The vCPUs may run right after.
 */
void suspend_file_cancel(SuspendFile *file);

/*
 * To be called whenever the vCPUs are about to run: marks the file as live, so
 * that nobody starts a stale image. Cancels a write that has begun. In a QEMU
 * that was started from the file, marks and removes it.
 */
void suspend_file_mark_live(SuspendFile *file);

/*
 * Before a suspended VM is woken: whether its memory is still there, as far as
 * one read can tell. Devices that are emulated cannot wait for a page that
 * comes back later, so a VM whose disk is gone had better sleep on.
 */
bool suspend_file_check_readable(SuspendFile *file, Error **errp);

/*
 * Before a suspended VM is woken, with the option @eager: read guest RAM back,
 * then call @done, in the main loop, from which the VM can be started. @error
 * (owned by the callee) says why it was not possible; the VM sleeps on, and
 * that may be tried again. False: there is nothing to wait for, and @done will
 * not be called; neither is it if the VM is started meanwhile.
 */
bool suspend_file_restore(SuspendFile *file, SuspendFileDone *done,
                          void *opaque);

/*
 * The vCPUs are likely to run soon: begin to read what they will need first.
 * Cheap; called any number of times.
 */
void suspend_file_expect_wake(SuspendFile *file);

/*
 * Whether the VM is stopped for a page that could not be read, and may be told
 * to run: then it is tried again.
 */
bool suspend_fault_stopped(void);

/* Figures that are true now; reads /proc and mincore, so not for hot paths. */
void suspend_file_figures(SuspendFile *file, SuspendFileFigures *figures);

#endif
