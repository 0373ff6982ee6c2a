/*
 * Suspend file: all of guest RAM read back before it runs.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_STUBDOMAIN_SUSPEND_RESTORE_H
#define HW_STUBDOMAIN_SUSPEND_RESTORE_H

#include "hw/stubdomain/suspend-file-internal.h"

/* What is read back in one go: whole huge pages. */
#define SUSPEND_RESTORE_CHUNK (4 * MiB)

/* All of guest RAM read back, or given back once more. */
struct SuspendRestore {
    SuspendFile *file;       /* main loop only; NULL: it was cancelled */
    SuspendImage *image;
    SuspendFileDone *done;   /* main loop only; NULL: nobody waits yet */
    void *opaque;
    bool complete;           /* main loop only: it was read, nobody waited */
    bool gives_back;         /* main loop only: what was read in vain */
    /*
     * Of each block: memory that its pages are read into. What is no longer
     * memory still says which blocks they are.
     */
    uint8_t **staging;

    /* image->lock */
    bool stopped;
    Error *error;
    size_t next_block;
    uint64_t next_offset;
};

/* -- stubdomain-eager.c -- */

/* The timer on which memory that was read in vain is given back. */
QEMUTimer *suspend_eager_timer_new(SuspendFile *file);
/*
 * A wake is at hand: begin to read all of guest RAM back, unless that was begun
 * already.
 */
void suspend_eager_expect(SuspendFile *file);
/* The VM is about to run, or the image to go: read no more. */
void suspend_eager_end(SuspendFile *file);
/*
 * Guest RAM is about to be mapped from the file: what was read is worth
 * nothing, and whoever waits for it is told.
 */
void suspend_eager_abandon(SuspendFile *file);
/* End it with an error; takes @error. Any thread. */
void suspend_restore_fail(SuspendRestore *restore, Error *error);
/* The next chunk of it; false: no more. Any thread. */
bool suspend_restore_next(SuspendRestore *restore, size_t *index,
                          uint64_t *offset);
/* Its threads ended: a bottom half of the main loop. */
void suspend_restore_done(void *restore);

/* -- stubdomain-give-back.c -- */

/* Gives back what @restore has read. */
void *suspend_give_back_thread(void *restore);

#endif
