/*
 * Suspend file: a checksum for each page, if the user wants them.
 *
 * Those of pages that a suspend writes are computed as it writes them. They are
 * compared where all of a page is read anyway: when guest RAM is read back, and
 * before another QEMU loads the file. A page that is mapped from the file is
 * read by the kernel, which knows nothing of them.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <zlib.h>
#include "hw/stubdomain/suspend-checksums.h"
#include "hw/stubdomain/suspend-file-internal.h"
#include "qapi/error.h"
#include "qemu/bitmap.h"
#include "qemu/memalign.h"

#define PER_SECTOR (SUSPEND_SECTOR / sizeof(uint32_t))

/* As sd_suspend_crc(), but faster. */
static uint32_t checksum_of(const uint8_t *page)
{
    return crc32(0, page, qemu_real_host_page_size());
}

static size_t sector_count(const SuspendImage *image)
{
    return DIV_ROUND_UP(sd_suspend_checksums_length(image->layout),
                        SUSPEND_SECTOR);
}

void suspend_checksums_init(SuspendImage *image)
{
    size_t sectors = sector_count(image);

    if (!sectors) {
        return;
    }
    image->checksums = qemu_memalign(qemu_real_host_page_size(),
                                     sectors * SUSPEND_SECTOR);
    memset(image->checksums, 0, sectors * SUSPEND_SECTOR);
    image->checksums_changed = bitmap_new(sectors);
    for (size_t i = 0; i < image->block_count; i++) {
        image->blocks[i].first_page = sd_suspend_first_page(image->layout, i);
    }
}

void suspend_checksums_free(SuspendImage *image)
{
    qemu_vfree(image->checksums);
    g_free(image->checksums_changed);
}

void suspend_checksums_note(SuspendImage *image, const SuspendBlock *block,
                            uint64_t first, size_t count)
{
    size_t page = qemu_real_host_page_size();

    for (size_t i = first; image->checksums && i < first + count; i++) {
        uint64_t number = block->first_page + i;

        image->checksums[number] = checksum_of(block->host + i * page);
        set_bit_atomic(number / PER_SECTOR, image->checksums_changed);
    }
}

bool suspend_checksums_check(const SuspendImage *image,
                             const SuspendBlock *block, const uint8_t *data,
                             uint64_t first, size_t count, Error **errp)
{
    size_t page = qemu_real_host_page_size();

    for (size_t i = 0; image->checksums && i < count; i++) {
        if (image->checksums[block->first_page + first + i] !=
            checksum_of(data + i * page)) {
            error_setg(errp, "the page at offset 0x%" PRIx64 " of suspend "
                       "file '%s' is damaged",
                       block->pages + (first + i) * page, image->path);
            return false;
        }
    }
    return true;
}

bool suspend_checksums_write(SuspendImage *image, Error **errp)
{
    unsigned long end = sector_count(image);
    unsigned long *changed = image->checksums_changed;
    unsigned long first, last;

    if (!image->checksums) {
        return true;
    }
    for (first = find_first_bit(changed, end); first < end;
         first = find_next_bit(changed, end, last)) {
        last = find_next_zero_bit(changed, end, first);
        if (!suspend_image_write(image, image->checksums + first * PER_SECTOR,
                                 (last - first) * SUSPEND_SECTOR,
                                 sd_suspend_checksums_offset(image->layout) +
                                 first * SUSPEND_SECTOR, errp)) {
            return false;
        }
        bitmap_clear(changed, first, last - first);
    }
    return true;
}

/* -- of a file that is not ours yet -- */

typedef struct Checked {
    SuspendReadFunc *read;
    void *opaque;
    const unsigned long *bitmap; /* of the block */
    uint64_t checksums;          /* offset of the block's */
    uint64_t pages;
} Checked;

static bool check_chunk(const Checked *block, uint64_t offset, uint64_t length,
                        Error **errp)
{
    size_t page = qemu_real_host_page_size();
    uint64_t first = offset / page;
    size_t count = length / page;
    g_autofree uint32_t *expected = NULL;
    g_autofree uint8_t *data = NULL;

    if (find_next_bit(block->bitmap, first + count, first) >= first + count) {
        return true;
    }
    expected = block->read(block->opaque,
                           block->checksums + first * sizeof(*expected),
                           count * sizeof(*expected));
    data = block->read(block->opaque, block->pages + offset, length);
    for (size_t i = 0; i < count; i++) {
        if (test_bit(first + i, block->bitmap) &&
            (!expected || !data ||
             expected[i] != checksum_of(data + i * page))) {
            error_setg(errp, "the page at offset 0x%" PRIx64 " is damaged",
                       block->pages + offset + i * page);
            return false;
        }
    }
    return true;
}

bool suspend_checksums_check_file(const struct sd_suspend_header *header,
                                  const struct sd_suspend_index *index,
                                  SuspendReadFunc *read, void *opaque,
                                  Error **errp)
{
    size_t page = qemu_real_host_page_size();
    Checked block = { read, opaque, .checksums = header->checksums_offset };
    uint64_t bitmap = SD_SUSPEND_BITMAPS_OFFSET;

    for (size_t i = 0; i < index->block_count; i++) {
        uint64_t length = index->blocks[i].length;
        size_t pages = length / page;
        size_t words = BITS_TO_LONGS(pages);
        g_autofree unsigned long *bits = read(opaque, bitmap,
                                              words * sizeof(*bits));

        if (!bits || length % page) {
            error_setg(errp, "its index is damaged");
            return false;
        }
        block.bitmap = bits;
        block.pages = index->blocks[i].offset;
        for (uint64_t offset = 0; offset < length; offset += SUSPEND_CHUNK) {
            if (!check_chunk(&block, offset, MIN(SUSPEND_CHUNK,
                                                 length - offset), errp)) {
                return false;
            }
        }
        bitmap += words * sizeof(*bits);
        block.checksums += pages * sizeof(uint32_t);
    }
    return true;
}
