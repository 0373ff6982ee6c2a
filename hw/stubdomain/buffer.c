/*
 * Stub domain: replies that are written into the guest's memory.
 *
 * The guest names pages, and may be wrong by the time that counts: it is free
 * to use them for something else. So each carries a nonce, which is looked at
 * with the vCPUs stopped, and only in RAM: to look must not do anything.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/bswap.h"
#include "exec/address-spaces.h"
#include "exec/memory.h"
#include "hw/stubdomain/stubdomain.h"
#include "system/hostmem.h"
#include "trace.h"

QEMU_BUILD_BUG_ON(STUBDOMAIN_BUFFER_PAGE != SD_BUFFER_PAGE_SIZE);
QEMU_BUILD_BUG_ON(STUBDOMAIN_BUFFER_PAGES_MAX != SD_BUFFER_PAGES_MAX);
QEMU_BUILD_BUG_ON(STUBDOMAIN_BUFFER_NONCE != SD_NONCE_LENGTH);

#define HEADER_LENGTH (STUBDOMAIN_BUFFER_INDEX + sizeof(uint32_t))

/* The VM's own memory, and not that of a device, such as our mailbox. */
static bool is_guest_ram(uint64_t address)
{
    MemoryRegionSection section = memory_region_find(get_system_memory(),
                                                     address,
                                                     STUBDOMAIN_BUFFER_PAGE);
    bool ok;

    if (!section.mr) {
        return false;
    }
    ok = int128_get64(section.size) == STUBDOMAIN_BUFFER_PAGE &&
         memory_region_is_ram(section.mr) &&
         !memory_region_is_ram_device(section.mr) && !section.readonly &&
         object_dynamic_cast(section.mr->owner, TYPE_MEMORY_BACKEND);
    memory_region_unref(section.mr);
    return ok;
}

static bool nonce_from_text(const char *text, uint8_t *nonce)
{
    if (strlen(text) != 2 * SD_NONCE_LENGTH) {
        return false;
    }
    for (size_t i = 0; i < SD_NONCE_LENGTH; i++) {
        int high = g_ascii_xdigit_value(text[2 * i]);
        int low = g_ascii_xdigit_value(text[2 * i + 1]);

        if (high < 0 || low < 0) {
            return false;
        }
        nonce[i] = high << 4 | low;
    }
    return true;
}

bool stubdomain_buffer_from_qapi(const StubdomainBuffer *buffer,
                                 struct sd_buffer *out, Error **errp)
{
    const uint64List *page;
    uint64_t room;

    memset(out, 0, sizeof(*out));
    if (!nonce_from_text(buffer->nonce, out->nonce)) {
        error_setg(errp, "buffer.nonce: must be 32 hexadecimal digits");
        return false;
    }
    for (page = buffer->pages; page; page = page->next) {
        if (out->pages == SD_BUFFER_PAGES_MAX) {
            error_setg(errp, "buffer.pages: must be 1 to %d",
                       SD_BUFFER_PAGES_MAX);
            return false;
        }
        if (page->value % STUBDOMAIN_BUFFER_PAGE) {
            error_setg(errp, "buffer.pages[%u]: must be a multiple of %d",
                       out->pages, STUBDOMAIN_BUFFER_PAGE);
            return false;
        }
        if (!is_guest_ram(page->value)) {
            error_setg(errp, "buffer.pages[%u]: is not RAM of the guest",
                       out->pages);
            return false;
        }
        out->page[out->pages++] = page->value;
    }
    if (!out->pages) {
        error_setg(errp, "buffer.pages: must be 1 to %d", SD_BUFFER_PAGES_MAX);
        return false;
    }
    room = out->pages * STUBDOMAIN_BUFFER_PAGE - STUBDOMAIN_BUFFER_DATA;
    if (buffer->length == 0 || buffer->length > room ||
        room - buffer->length >= STUBDOMAIN_BUFFER_PAGE) {
        error_setg(errp, "buffer.length: must be what %u pages are for",
                   out->pages);
        return false;
    }
    out->length = buffer->length;
    return true;
}

/* All pages are there, as the guest has marked them. */
static bool is_there(const struct sd_buffer *buffer)
{
    for (uint32_t i = 0; i < buffer->pages; i++) {
        uint8_t header[HEADER_LENGTH];

        if (!is_guest_ram(buffer->page[i]) ||
            address_space_read(&address_space_memory, buffer->page[i],
                               MEMTXATTRS_UNSPECIFIED, header,
                               sizeof(header)) != MEMTX_OK ||
            memcmp(header, buffer->nonce, SD_NONCE_LENGTH) ||
            ldl_le_p(header + STUBDOMAIN_BUFFER_INDEX) != i) {
            return false;
        }
    }
    return true;
}

/* To what is_there() has found to be RAM, so that it cannot fail. */
static void fill(const struct sd_buffer *buffer, const uint8_t *reply,
                 uint32_t length)
{
    uint8_t head[STUBDOMAIN_BUFFER_DATA] = { };
    uint32_t done = 0;

    stl_le_p(head + STUBDOMAIN_BUFFER_COUNT, length);
    address_space_write(&address_space_memory, buffer->page[0],
                        MEMTXATTRS_UNSPECIFIED, head, sizeof(head));
    for (uint32_t i = 0; done < length; i++) {
        uint32_t begin = i ? 0 : STUBDOMAIN_BUFFER_DATA;
        uint32_t part = MIN(length - done, STUBDOMAIN_BUFFER_PAGE - begin);

        address_space_write(&address_space_memory, buffer->page[i] + begin,
                            MEMTXATTRS_UNSPECIFIED, reply + done, part);
        done += part;
    }
}

void stubdomain_fill_buffers(StubdomainPCI *dev)
{
    struct sd_buffer buffer;
    uint32_t stub = 0;

    while ((stub = sd_next_buffer(dev->core, stub, &buffer))) {
        g_autofree uint8_t *reply = g_malloc(buffer.length);
        bool there = is_there(&buffer);
        uint32_t length = 0;

        if (there) {
            length = sd_take_reply(dev->core, stub, reply, buffer.length,
                                   stubdomain_now());
        }
        if (length) {
            fill(&buffer, reply, length);
        }
        trace_stubdomain_buffer(stub, there, length);
    }
}
