/*
 * Rig of the stubdomain-pci tests: one QEMU with the device, its BARs mapped.
 *
 * With rig_start_net() the device's NIC is a hub between two Unix datagram
 * sockets, one for the guest's end of the wire and one for the peer's, so that
 * a test is both: see wire.h for the frames.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_QTEST_STUBDOMAIN_RIG_H
#define TESTS_QTEST_STUBDOMAIN_RIG_H

#include "libqtest.h"
#include "libqos/pci-pc.h"
#include "hw/stubdomain/regs.h"

/* Free on both machines. */
#define RIG_SLOT 0x10
#define RIG_DEVICE "-device stubdomain-pci,id=stub0,addr=0x10"
#define RIG_MACHINE "-nodefaults -m 64M -machine "

typedef struct Rig {
    QTestState *qts;
    QPCIBus *bus;
    QPCIDevice *pci;
    QPCIBar regs;
    QPCIBar mailbox;
    char *dir;      /* of this rig alone */
    int guest_fd;   /* the guest's end of the wire; -1: no network */
    int peer_fd;
} Rig;

/* @args: the command line after RIG_MACHINE, such as "q35 " RIG_DEVICE. */
void rig_start(Rig *rig, const char *args);
/*
 * A q35 whose device is on the wire; @device_args such as ",max-stubs=2", or
 * NULL for one without a suspend-dir.
 */
void rig_start_net(Rig *rig, const char *device_args, const char *more_args);
/* After a reset. */
void rig_map(Rig *rig);
/* End QEMU with QMP's "quit", or a signal. What it leaves in @dir stays. */
void rig_quit(Rig *rig);
void rig_terminate(Rig *rig);
void rig_stop(Rig *rig);
/* A directory for a rig to be; rig_stop() removes it. */
char *rig_make_dir(void);

uint32_t rig_read(Rig *rig, uint32_t reg);
void rig_write(Rig *rig, uint32_t reg, uint32_t value);

/* Put a request into the mailbox and ring; returns RESULT. */
uint32_t rig_ring(Rig *rig, const void *request, uint32_t length);
/* The response, with a zero behind it. */
char *rig_response(Rig *rig);
/* A request that is done; returns the response. */
QDict *rig_ask(Rig *rig, const char *json);
/* A request that is not; its error text has @place in it. */
void rig_assert_refused(Rig *rig, const char *json, uint32_t result,
                        const char *place);
/* The device still answers. */
void rig_assert_alive(Rig *rig);

/* "query-stubdomain", which has one entry. */
QDict *rig_query(Rig *rig);

/* Save the VM into a file, or load it from one; waits for the end. */
void rig_save(Rig *rig, const char *path);
void rig_load(Rig *rig, const char *path);
/* For suspend files. */
void rig_enable_mapped_ram(Rig *rig);
/* The same with a file that must be refused. */
void rig_assert_load_fails(Rig *rig, const char *path);

#endif
