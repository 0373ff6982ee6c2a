/*
 * Suspend file: the parts of its format that need no QEMU. C API.
 *
 * Where everything lies in the file, the bytes of QEMU's migration stream that
 * describe guest RAM, the file's own header, and which pages of guest RAM have
 * to be written. The format is docs/interop/stubdomain-suspend-file.rst.
 *
 * No function does I/O or keeps state outside the objects it is handed.
 * Pointers that are returned belong to the object they came from.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef STUBDOMAIN_SUSPEND_H
#define STUBDOMAIN_SUSPEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The file's own header: where it is and how long. The stream's beginning has
 * to end before it. */
#define SD_SUSPEND_HEADER_OFFSET 0xff000
#define SD_SUSPEND_HEADER_SIZE 4096
/* The bitmaps follow the header, then the pages of the first block. */
#define SD_SUSPEND_BITMAPS_OFFSET 0x100000
/* Pages of each block start at a multiple of this. */
#define SD_SUSPEND_ALIGNMENT 0x100000
/* The mark is the first bytes of the file. */
#define SD_SUSPEND_MARK_SIZE 4
#define SD_SUSPEND_ID_SIZE 16
/* Longest name of a RAM block in a migration stream, and of a VM here. */
#define SD_SUSPEND_NAME_MAX 255
#define SD_SUSPEND_CHECKSUMS_ALIGNMENT 4096
/* More RAM blocks than any machine has. */
#define SD_SUSPEND_BLOCKS_MAX 1024

enum sd_suspend_refusal {
    SD_SUSPEND_OK,
    SD_SUSPEND_TOO_MANY_BLOCKS,
    SD_SUSPEND_BAD_NAME,    /* empty, too long, or used twice */
    SD_SUSPEND_BAD_LENGTH,  /* of a block: zero, or not whole pages */
    SD_SUSPEND_TOO_LARGE,   /* an offset would not fit a file */
    SD_SUSPEND_HEAD_TOO_LONG, /* the stream's beginning meets the header */
    SD_SUSPEND_NOT_OURS,    /* no suspend file */
    SD_SUSPEND_BAD_VERSION, /* made by a later version */
    SD_SUSPEND_DAMAGED,     /* checksum wrong, or fields that cannot be */
};

/* The refusal as a person reads it; no capital, no full stop. */
const char *sd_suspend_refusal_text(enum sd_suspend_refusal refusal);

/* -- layout -- */

typedef struct sd_suspend_layout sd_suspend_layout;

/* `page_size` is the guest's; a power of two from 1 KiB to 64 KiB.
 * `checksums`: each page has one. */
sd_suspend_layout *sd_suspend_layout_new(uint32_t page_size, bool checksums);
void sd_suspend_layout_free(sd_suspend_layout *layout);
/* Add the next RAM block. On refusal the layout is as before. */
enum sd_suspend_refusal sd_suspend_layout_add(sd_suspend_layout *layout,
                                              const char *name,
                                              uint64_t length);
/* Same page size and same blocks in the same order, and checksums or not. */
bool sd_suspend_layout_equal(const sd_suspend_layout *a,
                             const sd_suspend_layout *b);

/* Offsets of block number `block` (in order of addition). */
uint64_t sd_suspend_pages_offset(const sd_suspend_layout *layout,
                                 size_t block);
/* Its bitmap, counted from SD_SUSPEND_BITMAPS_OFFSET; a multiple of 8. */
uint64_t sd_suspend_bitmap_offset(const sd_suspend_layout *layout,
                                  size_t block);
/* All bitmaps together, in bytes. */
uint64_t sd_suspend_bitmaps_length(const sd_suspend_layout *layout);
/* Where the checksums of all pages are in the file, sd_suspend_crc() of each as
 * 32 bits in the host's byte order, one block after the other; 0: nowhere. */
uint64_t sd_suspend_checksums_offset(const sd_suspend_layout *layout);
uint64_t sd_suspend_checksums_length(const sd_suspend_layout *layout);
/* Pages of the blocks before, in all of which each has its number. */
uint64_t sd_suspend_first_page(const sd_suspend_layout *layout, size_t block);
/* Where the pages of the last block end. */
uint64_t sd_suspend_ram_end(const sd_suspend_layout *layout);

/* -- stream -- */

typedef struct sd_suspend_stream sd_suspend_stream;

struct sd_suspend_piece {
    uint64_t offset;
    const uint8_t *data;
    size_t length;
};

/*
 * The migration stream, without pages and bitmaps: `head` is what QEMU writes
 * before the first section, `devices` what it writes after the RAM section.
 * `footers`: sections have footers. On refusal *stream is NULL.
 * The first piece starts at offset 0, and with the mark "suspended".
 */
enum sd_suspend_refusal sd_suspend_stream_new(
    const sd_suspend_layout *layout, bool footers, const uint8_t *head,
    size_t head_length, const uint8_t *devices, size_t devices_length,
    sd_suspend_stream **stream);
void sd_suspend_stream_free(sd_suspend_stream *stream);
size_t sd_suspend_stream_pieces(const sd_suspend_stream *stream);
struct sd_suspend_piece sd_suspend_stream_piece(
    const sd_suspend_stream *stream, size_t piece);
/* Length of the file: the end of the last piece. */
uint64_t sd_suspend_stream_end(const sd_suspend_stream *stream);

/* -- mark and header -- */

enum sd_suspend_mark {
    SD_SUSPEND_MARK_NONE,      /* neither: not finished, or no suspend file */
    SD_SUSPEND_MARK_LIVE,      /* its VM ran on: must not be started */
    SD_SUSPEND_MARK_SUSPENDED, /* complete; QEMU's loader accepts it */
};

/* `mark` is SD_SUSPEND_MARK_SIZE bytes. NONE cannot be encoded. */
void sd_suspend_mark_encode(enum sd_suspend_mark kind, uint8_t *mark);
enum sd_suspend_mark sd_suspend_mark_decode(const uint8_t *mark);

#define SD_SUSPEND_SALT_SIZE 32
#define SD_SUSPEND_CHECK_SIZE 16

/* How the key comes from a secret, by PBKDF2 with HMAC-SHA-256. */
struct sd_suspend_encryption {
    uint32_t iterations; /* 0: the file is in the clear */
    uint8_t salt[SD_SUSPEND_SALT_SIZE];
    uint8_t check[SD_SUSPEND_CHECK_SIZE]; /* what follows the key */
};

struct sd_suspend_header {
    uint64_t generation; /* finished suspends in this file; 0: none yet */
    uint64_t file_length;
    uint8_t image[SD_SUSPEND_ID_SIZE]; /* differs for each suspend */
    uint8_t vm[SD_SUSPEND_ID_SIZE];    /* the VM's UUID, or zeros */
    char vm_name[SD_SUSPEND_NAME_MAX + 1];
    uint64_t index_offset;
    uint32_t index_length; /* 0: the file has no index */
    uint32_t index_crc;
    struct sd_suspend_encryption encryption;
    uint64_t checksums_offset; /* of pages; 0: they have none */
};

/* `data` is SD_SUSPEND_HEADER_SIZE bytes. A longer name is cut. */
void sd_suspend_header_encode(const struct sd_suspend_header *header,
                              uint8_t *data);
/* On refusal *header is unchanged. */
enum sd_suspend_refusal sd_suspend_header_decode(
    const uint8_t *data, struct sd_suspend_header *header);

/* -- index -- */

/* Longest part of a file that has a checksum of its own. */
#define SD_SUSPEND_PART_MAX (UINT64_C(256) << 20)

struct sd_suspend_part {
    uint64_t offset;
    uint64_t length;
    uint32_t crc; /* sd_suspend_crc() of it */
};

/* The pages of a block. */
struct sd_suspend_extent {
    uint64_t offset;
    uint64_t length;
};

uint32_t sd_suspend_crc(const void *data, size_t length);

/*
 * The checksums of all of the file but the mark, the header and the pages.
 * Free the result with free(). `length` is at most SD_SUSPEND_INDEX_MAX.
 */
uint8_t *sd_suspend_index_encode(const sd_suspend_layout *layout,
                                 const sd_suspend_stream *stream,
                                 const void *bitmaps, size_t *length);
#define SD_SUSPEND_PARTS_MAX (SD_SUSPEND_BLOCKS_MAX + 3)
#define SD_SUSPEND_INDEX_MAX \
    (SD_SUSPEND_PARTS_MAX * 20 + 4 + SD_SUSPEND_BLOCKS_MAX * 16 + 4)

struct sd_suspend_index {
    size_t part_count;
    struct sd_suspend_part parts[SD_SUSPEND_PARTS_MAX];
    size_t block_count; /* 0: pages have no checksums */
    struct sd_suspend_extent blocks[SD_SUSPEND_BLOCKS_MAX];
};

/* False: the index is damaged. `header` is the file's. */
bool sd_suspend_index_decode(const void *data, size_t length,
                             const struct sd_suspend_header *header,
                             struct sd_suspend_index *index);

/* -- pages -- */

/* What guest memory is mapped from. */
enum sd_suspend_backing {
    SD_SUSPEND_ANONYMOUS,  /* not resident and not swapped means zero */
    SD_SUSPEND_THIS_FILE,  /* without a private copy the file is right */
    SD_SUSPEND_OTHER,      /* every page has to be looked at */
};

enum sd_suspend_page {
    SD_SUSPEND_KEEP,  /* the file is right */
    SD_SUSPEND_CHECK, /* read it: DATA or ZERO */
    SD_SUSPEND_DATA,  /* write it */
    SD_SUSPEND_ZERO,  /* make it a hole */
};

/*
 * `pagemap` is Linux's /proc/PID/pagemap for `count` pages (ignored for
 * SD_SUSPEND_OTHER); each of `pages` becomes KEEP, CHECK or ZERO.
 */
void sd_suspend_classify(enum sd_suspend_backing backing,
                         const uint64_t *pagemap, size_t count,
                         uint8_t *pages);

/* Whether pagemap's `entry` is of a page that is in memory; or, with `changed`,
 * of one in memory or swap that is no file's. */
bool sd_suspend_page_exists(uint64_t entry, bool changed);

struct sd_suspend_run {
    enum sd_suspend_page kind; /* DATA or ZERO */
    size_t first;
    size_t count;
};

/* The next run of equal DATA or ZERO pages from page `from` on; false: none. */
bool sd_suspend_next_run(const uint8_t *pages, size_t count, size_t from,
                         struct sd_suspend_run *run);

/* How many pages sd_suspend_classify() would make CHECK. */
size_t sd_suspend_count_to_check(enum sd_suspend_backing backing,
                                 const uint64_t *pagemap, size_t count);

/* Pages that are in memory; with `private_only` those alone that are not a
 * file's. */
size_t sd_suspend_count_resident(const uint64_t *pagemap, size_t count,
                                 bool private_only);

#ifdef __cplusplus
}
#endif

#endif
