/*
 * Register map of the stubdomain-pci device, revision 1.
 *
 * Shared by the device model, the guest agent and the device's tests.
 * Described in docs/specs/stubdomain-pci.rst.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_STUBDOMAIN_REGS_H
#define HW_STUBDOMAIN_REGS_H

/* PCI ids: 10f0 is from the range that QEMU reserves for tests. */
#define STUBDOMAIN_PCI_VENDOR_ID 0x1af4
#define STUBDOMAIN_PCI_DEVICE_ID 0x10f0

/*
 * BAR 0: registers, BAR 2: mailbox (RAM), BAR 4: MSI-X.
 * Registers are 32 bits wide, little endian, naturally aligned; any other
 * access reads as all ones and is ignored on write.
 */
#define STUBDOMAIN_BAR_REGS    0
#define STUBDOMAIN_BAR_MAILBOX 2
#define STUBDOMAIN_BAR_MSIX    4

#define STUBDOMAIN_REGS_SIZE    0x1000
/* The first half holds the guest's request, the second the response. */
#define STUBDOMAIN_MAILBOX_SIZE 0x10000
#define STUBDOMAIN_REQUEST_MAX  (STUBDOMAIN_MAILBOX_SIZE / 2)
#define STUBDOMAIN_RESPONSE_OFFSET STUBDOMAIN_REQUEST_MAX
#define STUBDOMAIN_RESPONSE_MAX (STUBDOMAIN_MAILBOX_SIZE / 2)

enum {
    STUBDOMAIN_REG_MAGIC = 0x00,           /* RO: STUBDOMAIN_MAGIC */
    STUBDOMAIN_REG_REVISION = 0x04,        /* RO: STUBDOMAIN_REVISION */
    STUBDOMAIN_REG_STATUS = 0x08,          /* RO: STUBDOMAIN_STATUS_* */
    STUBDOMAIN_REG_REQUEST_LENGTH = 0x0c,  /* RW: bytes of the request */
    STUBDOMAIN_REG_DOORBELL = 0x10,        /* WO: any value: handle it now */
    STUBDOMAIN_REG_RESULT = 0x14,          /* RO: STUBDOMAIN_RESULT_* */
    STUBDOMAIN_REG_RESPONSE_LENGTH = 0x18, /* RO: bytes of the response */
    STUBDOMAIN_REG_INT_STATUS = 0x1c,      /* RO: STUBDOMAIN_INT_* */
    STUBDOMAIN_REG_INT_ACK = 0x20,         /* WO: bits to clear */
    STUBDOMAIN_REG_INT_ENABLE = 0x24,      /* RW: bits that may interrupt */
    STUBDOMAIN_REG_RESTORES = 0x28,        /* RO: restores so far, wraps */
    /*
     * Host wall clock (CLOCK_REALTIME), ns since the epoch. Reading LOW
     * latches HIGH.
     */
    STUBDOMAIN_REG_HOST_TIME_LOW = 0x30,   /* RO */
    STUBDOMAIN_REG_HOST_TIME_HIGH = 0x34,  /* RO */
};

#define STUBDOMAIN_MAGIC    0x42555453 /* "STUB" */
#define STUBDOMAIN_REVISION 1

/* STATUS */
#define STUBDOMAIN_STATUS_NET     (1u << 0) /* a netdev is attached */
#define STUBDOMAIN_STATUS_SUSPEND (1u << 1) /* the host allows suspending */

/*
 * RESULT. The response is JSON (StubdomainGuestResponse in
 * qapi/stubdomain.json) after OK, and an error text in UTF-8 otherwise.
 */
#define STUBDOMAIN_RESULT_OK      0 /* done */
#define STUBDOMAIN_RESULT_NONE    1 /* no request since the last reset */
#define STUBDOMAIN_RESULT_LENGTH  2 /* REQUEST_LENGTH is 0 or too large */
#define STUBDOMAIN_RESULT_SYNTAX  3 /* not JSON, or not of the schema */
#define STUBDOMAIN_RESULT_REFUSED 4 /* understood, but refused */
#define STUBDOMAIN_RESULT_BUSY    5 /* refused for now: ask again */

/* INT_STATUS */
/* the VM was stopped for a suspend, finished or not, and runs again; or the
 * suspend that SUSPENDING told of does not come */
#define STUBDOMAIN_INT_RESTORED (1u << 0)
/* waits ended: ask for "results" */
#define STUBDOMAIN_INT_ENDED    (1u << 1)
/* the VM is about to be suspended: get ready, and say "prepared" */
#define STUBDOMAIN_INT_SUSPENDING (1u << 2)

/*
 * Memory that a reply may be written into (StubdomainBuffer in
 * qapi/stubdomain.json). Each page begins with the nonce and the page's index,
 * 32 bits, little endian. If they are all there when the guest is about to run
 * again, the reply's first bytes are written from DATA of the first page on,
 * over whatever the others begin with; their number is written to COUNT; and the
 * nonce of the first page is cleared. Else nothing is.
 */
#define STUBDOMAIN_BUFFER_PAGE      4096
#define STUBDOMAIN_BUFFER_PAGES_MAX 64
#define STUBDOMAIN_BUFFER_NONCE     16 /* bytes, at the begin of each page */
#define STUBDOMAIN_BUFFER_INDEX     16 /* where that is */
#define STUBDOMAIN_BUFFER_COUNT     24 /* 32 bits, little endian; first page */
#define STUBDOMAIN_BUFFER_DATA      32

#endif
