/*
 * TCP segments on the wire of a rig.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "stubdomain/wire.h"

#define ETHERNET 14
#define IPV4     20
#define TCP      20
#define FRAME_MAX 2048

static const uint8_t guest_mac[6] = { 0x52, 0x54, 0, 0, 0, 2 };
static const uint8_t peer_mac[6] = { 0x52, 0x54, 0, 0, 0, 1 };
#define GUEST_IP 0x0a000002
#define PEER_IP  0x0a000001
#define PEER_PORT 80

static uint32_t sum(const uint8_t *data, size_t length, uint32_t start)
{
    for (size_t i = 0; i < length; i++) {
        start += i % 2 ? data[i] : data[i] << 8;
    }
    return start;
}

static uint16_t fold(uint32_t total)
{
    while (total >> 16) {
        total = (total & 0xffff) + (total >> 16);
    }
    return ~total;
}

/* TCP's checksum over the pseudo header and @length bytes at @tcp. */
static uint16_t tcp_checksum(const uint8_t *ip, const uint8_t *tcp,
                             size_t length)
{
    return fold(sum(tcp, length, sum(ip + 12, 8, IPPROTO_TCP + length)));
}

static size_t build(uint8_t *frame, bool from_guest, uint16_t port,
                    const Segment *segment)
{
    size_t payload = segment->data ? strlen(segment->data) : 0;
    uint8_t *ip = frame + ETHERNET, *tcp = ip + IPV4;

    memset(frame, 0, ETHERNET + IPV4 + TCP);
    memcpy(frame, from_guest ? peer_mac : guest_mac, 6);
    memcpy(frame + 6, from_guest ? guest_mac : peer_mac, 6);
    stw_be_p(frame + 12, 0x0800);

    ip[0] = 0x45;
    stw_be_p(ip + 2, IPV4 + TCP + payload);
    stw_be_p(ip + 6, 0x4000);
    ip[8] = 64;
    ip[9] = IPPROTO_TCP;
    stl_be_p(ip + 12, from_guest ? GUEST_IP : PEER_IP);
    stl_be_p(ip + 16, from_guest ? PEER_IP : GUEST_IP);
    stw_be_p(ip + 10, fold(sum(ip, IPV4, 0)));

    stw_be_p(tcp, from_guest ? port : PEER_PORT);
    stw_be_p(tcp + 2, from_guest ? PEER_PORT : port);
    stl_be_p(tcp + 4, segment->seq);
    stl_be_p(tcp + 8, segment->ack);
    tcp[12] = TCP / 4 << 4;
    tcp[13] = segment->flags;
    stw_be_p(tcp + 14, 0xffff);
    if (payload) {
        memcpy(tcp + TCP, segment->data, payload);
    }
    stw_be_p(tcp + 16, tcp_checksum(ip, tcp, TCP + payload));
    return ETHERNET + IPV4 + TCP + payload;
}

static void put(int fd, bool from_guest, uint16_t port, const Segment *segment)
{
    uint8_t frame[FRAME_MAX];
    size_t length = build(frame, from_guest, port, segment);

    g_assert_cmpint(send(fd, frame, length, 0), ==, length);
}

void wire_guest_sends(Rig *rig, uint16_t port, const Segment *segment)
{
    put(rig->guest_fd, true, port, segment);
}

void wire_peer_sends(Rig *rig, uint16_t port, const Segment *segment)
{
    put(rig->peer_fd, false, port, segment);
}

/* The stub domain may announce the guest's address at any time. */
static bool is_arp(const uint8_t *frame)
{
    return lduw_be_p(frame + 12) == 0x0806;
}

static void get(int fd, bool from_guest, uint16_t port, const Segment *segment)
{
    uint8_t frame[FRAME_MAX];
    const uint8_t *ip = frame + ETHERNET, *tcp = ip + IPV4, *data;
    const char *expected = segment->data ?: "";
    ssize_t got;
    size_t tcp_length;

    do {
        got = recv(fd, frame, sizeof(frame), 0);
        g_assert_cmpint(got, >=, ETHERNET + IPV4 + TCP);
    } while (is_arp(frame));
    g_assert_cmphex(lduw_be_p(frame + 12), ==, 0x0800);
    g_assert_cmphex(ip[0], ==, 0x45);
    g_assert_cmpuint(ip[9], ==, IPPROTO_TCP);
    g_assert_cmphex(fold(sum(ip, IPV4, 0)), ==, 0);
    tcp_length = lduw_be_p(ip + 2) - IPV4;
    g_assert_cmpuint(ETHERNET + IPV4 + tcp_length, <=, got);
    g_assert_cmphex(tcp_checksum(ip, tcp, tcp_length), ==, 0);

    g_assert_cmpuint(lduw_be_p(tcp), ==, from_guest ? port : PEER_PORT);
    g_assert_cmpuint(lduw_be_p(tcp + 2), ==, from_guest ? PEER_PORT : port);
    g_assert_cmphex(tcp[13], ==, segment->flags);
    g_assert_cmpuint(ldl_be_p(tcp + 4), ==, segment->seq);
    g_assert_cmpuint(ldl_be_p(tcp + 8), ==, segment->ack);
    data = tcp + (tcp[12] >> 4) * 4;
    g_assert_cmpmem(data, tcp + tcp_length - data, expected, strlen(expected));
}

void wire_guest_gets(Rig *rig, uint16_t port, const Segment *segment)
{
    get(rig->guest_fd, false, port, segment);
}

void wire_peer_gets(Rig *rig, uint16_t port, const Segment *segment)
{
    get(rig->peer_fd, true, port, segment);
}

void wire_connect(Rig *rig, uint16_t port)
{
    const Segment syn = { WIRE_SYN, WIRE_GUEST_SEQ };
    const Segment syn_ack = { WIRE_SYN | WIRE_ACK, WIRE_PEER_SEQ,
                              WIRE_GUEST_SEQ + 1 };
    const Segment ack = { WIRE_ACK, WIRE_GUEST_SEQ + 1, WIRE_PEER_SEQ + 1 };

    wire_guest_sends(rig, port, &syn);
    wire_peer_gets(rig, port, &syn);
    wire_peer_sends(rig, port, &syn_ack);
    wire_guest_gets(rig, port, &syn_ack);
    wire_guest_sends(rig, port, &ack);
    wire_peer_gets(rig, port, &ack);
}

char *wire_wait_json(uint16_t port, const char *more)
{
    return g_strdup_printf(
        "{'op': 'wait', 'flow': {'guest': {'host': '10.0.0.2', 'port': %u},"
        " 'peer': {'host': '10.0.0.1', 'port': 80}}%s}", port, more);
}
