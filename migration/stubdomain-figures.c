/*
 * Suspend file: how much memory and disk guest RAM takes.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <sys/mman.h>
#include <sys/syscall.h>
#include "hw/stubdomain/suspend-file-internal.h"
#include "hw/stubdomain/suspend-memory.h"
#include "qapi/error.h"

/* Pages whose state is asked for in one go. */
#define QUERY_PAGES 4096

/* What @block is mapped from at @offset, and how far that goes. */
static enum sd_suspend_backing backing_at(const SuspendImage *image,
                                          const SuspendBlock *block,
                                          uint64_t offset, uint64_t *end)
{
    const SuspendMapping *mapping = block->mapping;
    uint64_t mapped = 0;

    if (mapping->image == image && image) {
        mapped = qatomic_read(&mapping->mapped);
    }
    if (offset < mapped) {
        *end = MIN(mapped, block->length);
        return SD_SUSPEND_THIS_FILE;
    }
    if (offset < mapping->backed) {
        *end = MIN(mapping->backed, block->length);
        return SD_SUSPEND_OTHER;
    }
    *end = block->length;
    return SD_SUSPEND_ANONYMOUS;
}

static void add_length(void *opaque, uint64_t offset, uint64_t length)
{
    *(uint64_t *)opaque += length;
}

static uint64_t block_resident(const SuspendImage *image,
                               const SuspendBlock *block)
{
    uint64_t sum = 0;
    uint64_t end;

    for (uint64_t offset = 0; offset < block->length; offset = end) {
        /* Page cache is counted once, with the file. */
        SuspendScan what =
            backing_at(image, block, offset, &end) == SD_SUSPEND_THIS_FILE
            ? SUSPEND_SCAN_PRIVATE : SUSPEND_SCAN_PRESENT;

        if (!suspend_pagemap_scan(block->host + offset, end - offset, what,
                                  add_length, &sum, NULL)) {
            return block->length;
        }
    }
    return sum;
}

uint64_t suspend_block_to_write(const SuspendImage *image,
                                const SuspendBlock *block)
{
    size_t page = qemu_real_host_page_size();
    uint64_t pages = 0;
    uint64_t step;

    for (uint64_t offset = 0; block->mapping && offset < block->length;
         offset += step) {
        uint64_t entries[QUERY_PAGES];
        uint64_t end;
        enum sd_suspend_backing backing = backing_at(image, block, offset,
                                                     &end);

        step = MIN(QUERY_PAGES * page, end - offset);
        if (!suspend_pagemap_read(block->host + offset, step, entries, NULL)) {
            return block->length;
        }
        pages += sd_suspend_count_to_check(backing, entries, step / page);
    }
    return block->mapping ? pages * page : block->length;
}

/* Pages of the page cache that hold parts of the file, counted one by one. */
static uint64_t count_cached(int fd, uint64_t size)
{
    size_t page = qemu_real_host_page_size();
    uint64_t pages = 0;

    for (uint64_t offset = 0; offset < size; offset += QUERY_PAGES * page) {
        size_t length = MIN(QUERY_PAGES * page, size - offset);
        unsigned char cached[QUERY_PAGES];
        void *window = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, offset);

        if (window == MAP_FAILED) {
            break;
        }
        if (mincore(window, length, cached) == 0) {
            for (size_t i = 0; i < DIV_ROUND_UP(length, page); i++) {
                pages += cached[i] & 1;
            }
        }
        munmap(window, length);
    }
    return pages;
}

static uint64_t file_cached(const SuspendImage *image)
{
    /* cachestat(2), Linux 6.5: takes no time for what is not cached. */
    const long cachestat_number = 451;
    struct {
        uint64_t offset;
        uint64_t length; /* 0: to the end */
    } range = {};
    struct {
        uint64_t cached;
        uint64_t dirty;
        uint64_t writeback;
        uint64_t evicted;
        uint64_t recently_evicted;
    } answer;
    uint64_t pages = 0;
    struct stat st;

    if (syscall(cachestat_number, image->fd, &range, &answer, 0) == 0) {
        pages = answer.cached;
    } else if (fstat(image->fd, &st) == 0) {
        pages = count_cached(image->fd, st.st_size);
    }
    return pages * qemu_real_host_page_size();
}

void suspend_file_figures(SuspendFile *file, SuspendFileFigures *figures)
{
    SuspendImage *image = file->image;
    sd_suspend_layout *layout;
    SuspendBlock *blocks;
    size_t count;

    *figures = (SuspendFileFigures) {};
    blocks = suspend_blocks_get(false, &layout, &count, NULL);
    if (!blocks) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (blocks[i].mapping) {
            figures->guest_ram += blocks[i].length;
            figures->resident += block_resident(image, &blocks[i]);
        }
    }
    suspend_blocks_free(blocks, count);
    sd_suspend_layout_free(layout);
    if (image) {
        figures->resident += file_cached(image);
    }
    figures->bytes_written = suspend_file_bytes_written(file);
}
