/*
 * Suspend file: what migration/stubdomain-*.c share.
 *
 * A SuspendFile is what the device holds; a SuspendImage is one inode that
 * guest RAM was or will be mapped from; a SuspendJob is one write into it.
 * Jobs hold a reference to their image, so a cancelled job ends by itself
 * while its file may be gone.
 *
 * Threads: everything belongs to the main loop (BQL), except what is said to
 * be protected by SuspendImage.lock, and what a job's threads own while
 * SuspendImage.writing is held.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_STUBDOMAIN_SUSPEND_FILE_INTERNAL_H
#define HW_STUBDOMAIN_SUSPEND_FILE_INTERNAL_H

#include "qemu/queue.h"
#include "qemu/rcu.h"
#include "qemu/thread.h"
#include "qemu/timer.h"
#include "qemu/units.h"
#include "hw/stubdomain/suspend-cipher.h"
#include "hw/stubdomain/suspend-file.h"
#include "stubdomain/suspend.h"
#include "system/runstate.h"

/*
 * RAM blocks from this size on are mapped from the file; smaller ones (ROMs,
 * tables) are written, and stay in memory.
 */
#define SUSPEND_MAP_MIN (1 * MiB)
/* What one worker takes at a time: a cancelled write ends within it. */
#define SUSPEND_CHUNK (1 * MiB)
/* What is mapped, or dropped, in one go: a cancel waits for no more. */
#define SUSPEND_MAP_PIECE (8 * MiB)
QEMU_BUILD_BUG_ON(SUSPEND_MAP_PIECE % SUSPEND_CHUNK);

typedef struct SuspendImage SuspendImage;
typedef struct SuspendJob SuspendJob;
typedef struct SuspendRestore SuspendRestore;
typedef struct SuspendAbsent SuspendAbsent;

/*
 * Which part of a RAM block is mapped from a file. Outlives files, since the
 * mapping does; goes with the RAM block.
 */
typedef struct SuspendMapping {
    struct rcu_head rcu;
    uint8_t *host;
    bool mergeable;
    bool dump;
    uint64_t pages;      /* offset of its first page in @image */
    bool patched;        /* a page of it is mapped from nowhere */
    bool absent;         /* atomic: pages of it are brought when touched */
    uint64_t mapped;     /* so much from the beginning, from @image */
    uint64_t backed;     /* so much from some file, perhaps a former one */
    SuspendImage *image; /* not owned; NULL: none that is still written to */
    QLIST_ENTRY(SuspendMapping) next;
} SuspendMapping;

typedef struct SuspendBlock {
    char *name;
    uint8_t *host;
    uint64_t length;
    SuspendMapping *mapping; /* NULL: stays in memory */
    uint64_t pages;          /* offset in the file */
    unsigned long *bitmap;   /* pages that the file may hold data for */
    uint64_t first_page;     /* pages of the blocks before, with checksums */
} SuspendBlock;

struct SuspendImage {
    unsigned refs;
    char *path;
    dev_t device;
    ino_t inode;
    int fd;
    int direct_fd;           /* with O_DIRECT; -1: not possible */
    bool direct;             /* atomic: O_DIRECT has worked so far */
    bool keep_cache;         /* job's threads: what is written stays cached */

    SuspendSecret secret;    /* until the job's thread has made the cipher */
    SuspendCipher *cipher;   /* NULL: it is in the clear */
    SuspendAbsent *absent;   /* NULL: nothing had to be brought so far */

    sd_suspend_layout *layout;
    SuspendBlock *blocks;
    size_t block_count;
    void *bitmaps;
    uint32_t *checksums;     /* of all pages; NULL: there are none */
    unsigned long *checksums_changed; /* sectors of them that are not written */
    struct sd_suspend_header header; /* as last finished */
    uint64_t bytes_written;          /* by the last finished job */

    /* Held by a job's threads, so one job begins after the former ended. */
    QemuMutex writing;
    /* Protects the mark, SuspendJob.stopped and the mapping of guest RAM. */
    QemuMutex lock;
    enum sd_suspend_mark mark;
    bool mark_durable;       /* atomic: the mark "live" is on the disk */
    off_t length_awake;      /* main loop: of the file, as the VM last woke */
    /*
     * First page of the file. The mark is written together with the rest of
     * it, since that takes no reading.
     */
    uint8_t *first_page;

    /* The pages that the last wake touched first; see stubdomain-prefetch.c. */
    bool working_set;        /* main loop: they are noted, and read ahead */
    GArray *touched;         /* of SuspendRange; image->lock */
    bool note_due;           /* image->lock: @touched is of an earlier wake */
    bool prefetch_ready;     /* atomic: a thread waits for @prefetch_go */
    bool prefetch_stopped;   /* atomic */
    QemuSemaphore prefetch_go;
    QemuMutex prefetching;   /* held by the thread that reads */

    bool expected;           /* main loop: this wake was, before its time */
    QemuMutex restoring;     /* held by a SuspendRestore's threads */
};

/* Of the file, in bytes. */
typedef struct SuspendRange {
    uint64_t offset;
    uint64_t length;
} SuspendRange;

struct SuspendFile {
    char *dir;
    char *name;
    char *path;
    const SuspendFileOptions *options; /* the device's */
    SuspendFileFault *fault;
    void *opaque;
    QEMUTimer *note_timer;
    QEMUTimer *eager_timer;
    SuspendImage *image;     /* NULL before the first prepare */
    SuspendJob *job;         /* NULL: nothing is written */
    SuspendRestore *restore; /* NULL: guest RAM is not being read back */
    bool stale;              /* the RAM blocks are no longer those of @image */
    bool consumed;           /* the image that this VM came from was seen to */
    /* The image that this VM's state descends from; zeros: none. */
    uint8_t descends[SD_SUSPEND_ID_SIZE];
    Notifier shutdown;
    ShutdownCause shutdown_cause;
    QLIST_ENTRY(SuspendFile) next;
};

struct SuspendJob {
    SuspendFile *file;       /* main loop only, and not after a cancel */
    SuspendImage *image;
    SuspendFileDone *done;
    void *opaque;
    bool cancelled;          /* main loop only */

    sd_suspend_stream *stream;
    struct sd_suspend_header header;
    /* How far each block is mapped, and backed, as the job begins. */
    uint64_t *mapped;
    uint64_t *backed;
    /* Of each block: chunks of what is mapped in which something changed. */
    unsigned long **changed;

    bool working_set;        /* from the file's options, as keep_cache */
    bool keep_cache;
    bool first;              /* job's thread: nothing mapped from the image */

    uint64_t bytes_written;  /* atomic */
    bool stopped;            /* atomic; set with image->lock held */

    /* image->lock */
    Error *error;
    size_t next_block;
    uint64_t next_offset;
};

typedef QLIST_HEAD(, SuspendFile) SuspendFileList;
extern SuspendFileList suspend_files;

/* -- stubdomain-file.c -- */

/*
 * Let go of the image. Guest RAM that is mapped from it stays so: the inode
 * lives as long as the mapping, with a name or without.
 */
void suspend_file_drop_image(SuspendFile *file, bool keep_name);

/* -- stubdomain-open.c -- */

/*
 * Open or create the file of @file, and lock it. Returns -1 with @errp set if
 * that is not possible, or what the file holds must not be overwritten.
 */
int suspend_file_open(const SuspendFile *file, struct stat *st, Error **errp);
/*
 * If the file of @file is the suspended image that this VM came from, mark it
 * as live and remove it: the VM is about to run on.
 */
void suspend_file_consume(SuspendFile *file);

/* -- stubdomain-image.c: header and mark; stubdomain-io.c: writing -- */

/* Open the file of @file, and empty it but for a header and the mark "live". */
SuspendImage *suspend_image_open(SuspendFile *file, Error **errp);
SuspendImage *suspend_image_ref(SuspendImage *image);
void suspend_image_unref(SuspendImage *image);
/* Whether the file's path still leads to this image. */
bool suspend_image_in_place(const SuspendImage *image);
/*
 * Write all of it, past the page cache where possible. What is encrypted starts
 * at a sector, and is filled up to one with zeros. Any thread.
 */
bool suspend_image_write(SuspendImage *image, const void *data, size_t length,
                         uint64_t offset, Error **errp);
/*
 * Read all of it, past the page cache where that is better. What is encrypted
 * consists of whole sectors. Any thread.
 */
bool suspend_image_read(SuspendImage *image, void *data, size_t length,
                        uint64_t offset, Error **errp);
/* Make a hole. Sets *@done to false if the file system has none. Any thread. */
bool suspend_image_punch(SuspendImage *image, uint64_t offset, uint64_t length,
                         bool *done, Error **errp);
bool suspend_image_write_header(SuspendImage *image,
                                const struct sd_suspend_header *header,
                                Error **errp);
/* Whether it can be read, as far as its length and one page tell. */
bool suspend_image_check_readable(SuspendImage *image, Error **errp);
/* Wait until all that was written is on the disk. Any thread. */
bool suspend_image_sync(SuspendImage *image, Error **errp);
/* The same for the file's name. Any thread. */
bool suspend_image_sync_name(SuspendImage *image, Error **errp);
/* Drop the page cache of what is on the disk. Any thread. */
void suspend_image_drop_cache(SuspendImage *image);
/*
 * What the first page holds behind the mark; written with the next mark.
 * Caller holds @image->lock, here and below.
 */
void suspend_image_set_first_page(SuspendImage *image, const void *data,
                                  size_t length);
bool suspend_image_set_mark(SuspendImage *image, enum sd_suspend_mark mark,
                            Error **errp);
/* -- stubdomain-ram.c -- */

/* Whether this VM, as it is now, can be suspended. */
bool suspend_check_machine(Error **errp);
/*
 * The RAM blocks of a suspend, in the order of the stream. Fails if one of
 * them cannot be given back. Free with suspend_blocks_free().
 */
SuspendBlock *suspend_blocks_get(bool checksums, sd_suspend_layout **layout,
                                 size_t *count, Error **errp);
void suspend_blocks_free(SuspendBlock *blocks, size_t count);
/* The mapping that @address is in, if any. Any thread, any signal handler. */
SuspendMapping *suspend_mapping_at(const void *address);
/* The file that @mapping is from; NULL: none that is still in use. */
SuspendFile *suspend_file_of(const SuspendMapping *mapping);
/* Forget that guest RAM is mapped from @image, but not that it is mapped. */
void suspend_mappings_orphan(SuspendImage *image);
/* Guest RAM is no longer mapped from @image, but from nowhere. */
void suspend_mappings_release(SuspendImage *image);
/* Whether some guest RAM is mapped from @image. */
bool suspend_mappings_used(const SuspendImage *image);
/* Start watching RAM blocks come and go. */
void suspend_ram_init(void);

/* -- stubdomain-devices.c -- */

/* Save the state of the devices, and make the stream of @job with it. */
bool suspend_save_devices(SuspendJob *job, Error **errp);

/* -- stubdomain-pages.c -- */

/* Read a part of guest RAM into @data, which is zero so far. Any thread. */
bool suspend_block_read(SuspendImage *image, const SuspendBlock *block,
                        uint64_t offset, uint64_t length, uint8_t *data,
                        Error **errp);
/* Write RAM, in this thread and helpers, until done or stopped. */
void suspend_write_ram(SuspendJob *job);

/* -- stubdomain-write.c -- */

/* End a job with an error; takes @error, ignored if it is not the first. */
void suspend_job_fail(SuspendJob *job, Error *error);

/* -- stubdomain-figures.c -- */

/* So many bytes of @block a suspend has to look at, and to write at most. */
uint64_t suspend_block_to_write(const SuspendImage *image,
                                const SuspendBlock *block);

/* -- stubdomain-sigbus.c -- */

/* Handle SIGBUS from here on. */
void suspend_fault_init(void);
/* The VM runs again. */
void suspend_fault_forget(void);
/* Zeros had to be put in the place of the page at @address. Any thread. */
void suspend_fault_zeros(const uint8_t *address);

/* -- stubdomain-prefetch.c -- */

/* The timer on which it is noted what a wake touched. */
QEMUTimer *suspend_prefetch_timer_new(SuspendFile *file);
/*
 * The VM is about to run from @file: note later which pages it touches first.
 */
void suspend_prefetch_begin_wake(SuspendFile *file);
/*
 * Have a thread ready that reads those pages, so that a wake need not wait for
 * one to be made. Caller holds @image->lock.
 */
void suspend_prefetch_prepare(SuspendImage *image);
/* Read those pages, unless that was begun already. Any thread. */
void suspend_prefetch_start(SuspendImage *image);
/* Do not, or no longer. Any thread. */
void suspend_prefetch_stop(SuspendImage *image);
/* Note them now if that is still due; end reading. The job's thread. */
void suspend_prefetch_end_wake(SuspendImage *image);

#endif
