/*
 * TCP segments on the wire of a rig: both ends of a connection, by hand.
 *
 * Ethernet and IPv4 around them are always the same: the guest is 10.0.0.2,
 * the peer 10.0.0.1 with port 80.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_QTEST_STUBDOMAIN_WIRE_H
#define TESTS_QTEST_STUBDOMAIN_WIRE_H

#include "stubdomain/rig.h"

enum {
    WIRE_FIN = 0x01,
    WIRE_SYN = 0x02,
    WIRE_RST = 0x04,
    WIRE_PSH = 0x08,
    WIRE_ACK = 0x10,
};

typedef struct Segment {
    uint8_t flags;
    uint32_t seq;
    uint32_t ack;
    const char *data; /* NULL: none */
} Segment;

/* First sequence numbers of both sides; the SYNs take one each. */
#define WIRE_GUEST_SEQ 1000
#define WIRE_PEER_SEQ  5000

/* Each puts one segment of the connection from guest port @port on the wire. */
void wire_guest_sends(Rig *rig, uint16_t port, const Segment *segment);
void wire_peer_sends(Rig *rig, uint16_t port, const Segment *segment);

/* The next segment that arrives is of that connection, and is this one. */
void wire_guest_gets(Rig *rig, uint16_t port, const Segment *segment);
void wire_peer_gets(Rig *rig, uint16_t port, const Segment *segment);

/* A three-way handshake through the VM's network. */
void wire_connect(Rig *rig, uint16_t port);

/* A "wait" request for the connection; @more such as ", 'timeout': 1". */
char *wire_wait_json(uint16_t port, const char *more);

#endif
