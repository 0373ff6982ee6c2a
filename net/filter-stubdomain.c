/*
 * filter-stubdomain: carries the frames of one NIC between QEMU's network and
 * the core of a stub domain, also while the VM is stopped.
 *
 * QEMU calls filters before the queue that stops with the VM, so every frame
 * is seen. Towards the peer, frames are handed to the network backend itself,
 * which takes them while the VM is stopped; towards the guest they go through
 * the rest of the filter chain and the NIC's queue. Nothing is sent from
 * inside a filter callback: see convention 2 of the core's API.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/iov.h"
#include "qemu/module.h"
#include "hw/stubdomain/stubdomain.h"
#include "net/filter.h"
#include "net/net.h"
#include "qom/object_interfaces.h"
#include "standard-headers/linux/virtio_net.h"
#include "system/system.h"
#include "trace/trace-hw_stubdomain.h"

/* A side that refused a frame is tried again after this time. */
#define RETRY_SEND_NS (1 * SCALE_MS)

struct FilterStubdomain {
    NetFilterState parent_obj;

    char *device;         /* property: id of the device */
    StubdomainPCI *dev;   /* once it is attached */
    unsigned port;
    QEMUTimer *retry;
    bool refused[2];      /* by enum sd_side */
    Notifier machine_done;
    uint8_t *buffer;      /* a virtio header and a frame in one piece */
};

/* Room for all headers of nearly every frame. */
#define HEAD_SIZE 256
#define BUFFER_SIZE (sizeof(struct virtio_net_hdr_v1_hash) + SD_FRAME_MAX)

/* -- virtio's header -- */

static enum sd_gso gso_from_virtio(uint8_t type)
{
    switch (type & ~VIRTIO_NET_HDR_GSO_ECN) {
    case VIRTIO_NET_HDR_GSO_TCPV4:
        return SD_GSO_TCPV4;
    case VIRTIO_NET_HDR_GSO_TCPV6:
        return SD_GSO_TCPV6;
    case VIRTIO_NET_HDR_GSO_UDP:
        return SD_GSO_UDP;
    case VIRTIO_NET_HDR_GSO_UDP_L4:
        return SD_GSO_UDP_L4;
    default:
        return SD_GSO_NONE;
    }
}

static uint8_t gso_to_virtio(const struct sd_offload *offload)
{
    static const uint8_t types[] = {
        [SD_GSO_NONE] = VIRTIO_NET_HDR_GSO_NONE,
        [SD_GSO_TCPV4] = VIRTIO_NET_HDR_GSO_TCPV4,
        [SD_GSO_TCPV6] = VIRTIO_NET_HDR_GSO_TCPV6,
        [SD_GSO_UDP] = VIRTIO_NET_HDR_GSO_UDP,
        [SD_GSO_UDP_L4] = VIRTIO_NET_HDR_GSO_UDP_L4,
    };

    return types[offload->gso] | (offload->ecn ? VIRTIO_NET_HDR_GSO_ECN : 0);
}

/* The header is little-endian with virtio 1.0 and on every x86 guest. */
static void offload_from_virtio(const uint8_t *data, struct sd_offload *offload)
{
    const struct virtio_net_hdr *hdr = (const void *)data;

    offload->needs_csum = hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;
    offload->data_valid = hdr->flags & VIRTIO_NET_HDR_F_DATA_VALID;
    offload->ecn = hdr->gso_type & VIRTIO_NET_HDR_GSO_ECN;
    offload->gso = gso_from_virtio(hdr->gso_type);
    offload->gso_size = lduw_le_p(&hdr->gso_size);
    offload->header_len = lduw_le_p(&hdr->hdr_len);
    offload->csum_start = lduw_le_p(&hdr->csum_start);
    offload->csum_offset = lduw_le_p(&hdr->csum_offset);
}

static void offload_to_virtio(const struct sd_offload *offload, uint8_t *data)
{
    struct virtio_net_hdr *hdr = (void *)data;

    hdr->flags = (offload->needs_csum ? VIRTIO_NET_HDR_F_NEEDS_CSUM : 0) |
                 (offload->data_valid ? VIRTIO_NET_HDR_F_DATA_VALID : 0);
    hdr->gso_type = gso_to_virtio(offload);
    stw_le_p(&hdr->hdr_len, offload->header_len);
    stw_le_p(&hdr->gso_size, offload->gso_size);
    stw_le_p(&hdr->csum_start, offload->csum_start);
    stw_le_p(&hdr->csum_offset, offload->csum_offset);
}

/* -- frames in -- */

static ssize_t filter_receive(NetFilterState *nf, NetClientState *sender,
                              unsigned flags, const struct iovec *iov,
                              int iovcnt, NetPacketSent *sent_cb)
{
    FilterStubdomain *filter = FILTER_STUBDOMAIN(nf);
    size_t size = iov_size(iov, iovcnt);
    size_t header = flags & QEMU_NET_PACKET_FLAG_RAW ?
                    0 : nf->netdev->vnet_hdr_len;
    enum sd_side from = sender == nf->netdev ? SD_PEER : SD_GUEST;
    struct sd_frame frame = { };
    enum sd_verdict verdict;
    const uint8_t *data;
    size_t head = 0; /* of a frame in pieces: what was gathered first */

    if (!filter->dev || size <= header || size - header > SD_FRAME_MAX) {
        return 0;
    }
    if (iovcnt == 1) {
        data = iov[0].iov_base;
    } else {
        head = iov_to_buf(iov, iovcnt, 0, filter->buffer, MIN(size, HEAD_SIZE));
        data = filter->buffer;
    }
    if (header) {
        offload_from_virtio(data, &frame.offload);
    }
    frame.data = data + header;
    frame.length = size - header;
    if (head) {
        if (head < size && from == SD_GUEST &&
            sd_pass_head(filter->dev->core, filter->port, &frame,
                         head - header, stubdomain_now())) {
            trace_stubdomain_frame(filter->port, from, frame.length, SD_PASS);
            stubdomain_kick(filter->dev);
            return 0;
        }
        iov_to_buf(iov, iovcnt, head, filter->buffer + head, size - head);
    }
    verdict = sd_on_frame(filter->dev->core, filter->port, from, &frame,
                          stubdomain_now());
    trace_stubdomain_frame(filter->port, from, frame.length, verdict);
    stubdomain_kick(filter->dev);
    return verdict == SD_TAKEN ? size : 0;
}

/* -- frames out -- */

static void retry_send(void *opaque)
{
    FilterStubdomain *filter = opaque;

    for (int side = SD_GUEST; side <= SD_PEER; side++) {
        if (filter->refused[side]) {
            filter->refused[side] = false;
            sd_on_writable(filter->dev->core, filter->port, side);
        }
    }
    stubdomain_kick(filter->dev);
}

static bool send_to_guest(NetFilterState *nf, size_t size)
{
    FilterStubdomain *filter = FILTER_STUBDOMAIN(nf);
    struct iovec iov = { .iov_base = filter->buffer, .iov_len = size };

    if (!runstate_is_running() || !nf->netdev->peer ||
        !qemu_can_receive_packet(nf->netdev->peer)) {
        return false;
    }
    qemu_netfilter_pass_to_next(nf->netdev, QEMU_NET_PACKET_FLAG_NONE, &iov, 1,
                                nf);
    return true;
}

bool stubdomain_filter_send(FilterStubdomain *filter, enum sd_side to,
                            const struct sd_frame *frame)
{
    NetFilterState *nf = NETFILTER(filter);
    size_t header = nf->netdev->vnet_hdr_len;
    bool taken;

    memset(filter->buffer, 0, header);
    if (header) {
        offload_to_virtio(&frame->offload, filter->buffer);
    }
    memcpy(filter->buffer + header, frame->data, frame->length);
    if (to == SD_GUEST) {
        taken = send_to_guest(nf, header + frame->length);
    } else {
        taken = qemu_receive_packet(nf->netdev, filter->buffer,
                                    header + frame->length) != 0;
    }
    trace_stubdomain_send(filter->port, to, frame->length, taken);
    if (!taken) {
        filter->refused[to] = true;
        timer_mod(filter->retry,
                  qemu_clock_get_ns(QEMU_CLOCK_REALTIME) + RETRY_SEND_NS);
    }
    return taken;
}

void stubdomain_drop_queued(StubdomainPCI *dev)
{
    for (unsigned port = 0; port < SD_MAX_NICS; port++) {
        if (dev->ports[port]) {
            qemu_purge_queued_packets(NETFILTER(dev->ports[port])->netdev);
        }
    }
}

/* -- attaching to a device -- */

static bool attach(StubdomainPCI *dev, FilterStubdomain *filter, Error **errp)
{
    for (unsigned port = 0; port < SD_MAX_NICS; port++) {
        if (!dev->ports[port]) {
            dev->ports[port] = filter;
            filter->dev = dev;
            filter->port = port;
            return true;
        }
    }
    error_setg(errp, "stub domain '%s' has %u NICs already, which is the most",
               stubdomain_name(dev), SD_MAX_NICS);
    return false;
}

static void detach(FilterStubdomain *filter)
{
    StubdomainPCI *dev = filter->dev;

    if (!dev) {
        return;
    }
    timer_del(filter->retry);
    dev->ports[filter->port] = NULL;
    if (dev->own_filter == filter) {
        dev->own_filter = NULL;
    }
    filter->dev = NULL;
}

bool stubdomain_attach_netdev(StubdomainPCI *dev, Error **errp)
{
    ERRP_GUARD();
    Object *obj;

    if (!dev->netdev) {
        return true;
    }
    obj = object_new(TYPE_FILTER_STUBDOMAIN);
    object_property_add_child(OBJECT(dev), "filter", obj);
    object_unref(obj);
    FILTER_STUBDOMAIN(obj)->dev = dev;
    object_property_set_str(obj, "netdev", dev->netdev, &error_abort);
    if (!user_creatable_complete(USER_CREATABLE(obj), errp)) {
        error_prepend(errp, "netdev '%s': ", dev->netdev);
        FILTER_STUBDOMAIN(obj)->dev = NULL;
        object_unparent(obj);
        return false;
    }
    dev->own_filter = FILTER_STUBDOMAIN(obj);
    return attach(dev, dev->own_filter, errp);
}

static int attach_if_waiting(Object *child, void *opaque)
{
    struct { StubdomainPCI *dev; Error *error; } *context = opaque;
    FilterStubdomain *filter = (FilterStubdomain *)
        object_dynamic_cast(child, TYPE_FILTER_STUBDOMAIN);

    if (!filter || filter->dev ||
        g_strcmp0(filter->device, DEVICE(context->dev)->id)) {
        return 0;
    }
    return !attach(context->dev, filter, &context->error);
}

bool stubdomain_attach_waiting_filters(StubdomainPCI *dev, Error **errp)
{
    struct { StubdomainPCI *dev; Error *error; } context = { .dev = dev };

    object_child_foreach(object_get_objects_root(), attach_if_waiting,
                         &context);
    error_propagate(errp, context.error);
    return !context.error;
}

void stubdomain_detach_filters(StubdomainPCI *dev)
{
    FilterStubdomain *own = dev->own_filter;

    for (unsigned port = 0; port < SD_MAX_NICS; port++) {
        if (dev->ports[port]) {
            detach(dev->ports[port]);
        }
    }
    if (own) {
        object_unparent(OBJECT(own));
    }
}

/* -- life -- */

/* -object comes before -device on every command line. */
static void check_attached(Notifier *notifier, void *data)
{
    FilterStubdomain *filter = container_of(notifier, FilterStubdomain,
                                            machine_done);

    if (!filter->dev) {
        error_report("filter-stubdomain: there is no stubdomain-pci device "
                     "with id '%s'", filter->device);
        exit(1);
    }
}

static bool check_netdev(NetClientState *netdev, Error **errp)
{
    NetFilterState *other;

    if (netdev->info->type == NET_CLIENT_DRIVER_VHOST_USER ||
        netdev->info->type == NET_CLIENT_DRIVER_VHOST_VDPA) {
        error_setg(errp, "%s takes frames past QEMU, where no stub domain can "
                   "see them", NetClientDriver_str(netdev->info->type));
        return false;
    }
    QTAILQ_FOREACH(other, &netdev->filters, next) {
        if (object_dynamic_cast(OBJECT(other), TYPE_FILTER_STUBDOMAIN)) {
            error_setg(errp, "a stub domain has netdev '%s' already",
                       netdev->name);
            return false;
        }
    }
    return true;
}

static bool attach_by_id(FilterStubdomain *filter, Error **errp)
{
    StubdomainPCI *dev = stubdomain_find(NULL);

    if (!filter->device) {
        error_setg(errp, "Parameter 'device' is required");
        return false;
    }
    if (dev && dev->core && !g_strcmp0(DEVICE(dev)->id, filter->device)) {
        return attach(dev, filter, errp);
    }
    if (phase_check(PHASE_MACHINE_READY)) {
        error_setg(errp, "there is no stubdomain-pci device with id '%s'",
                   filter->device);
        return false;
    }
    filter->machine_done.notify = check_attached;
    qemu_add_machine_init_done_notifier(&filter->machine_done);
    return true;
}

static void filter_setup(NetFilterState *nf, Error **errp)
{
    FilterStubdomain *filter = FILTER_STUBDOMAIN(nf);

    if (!check_netdev(nf->netdev, errp)) {
        return;
    }
    filter->buffer = g_malloc(BUFFER_SIZE);
    filter->retry = timer_new_ns(QEMU_CLOCK_REALTIME, retry_send, filter);
    /* The device's own filter has its device already. */
    if (!filter->dev) {
        attach_by_id(filter, errp);
    }
}

static void filter_cleanup(NetFilterState *nf)
{
    FilterStubdomain *filter = FILTER_STUBDOMAIN(nf);

    detach(filter);
    if (filter->machine_done.notify) {
        qemu_remove_machine_init_done_notifier(&filter->machine_done);
    }
    timer_free(filter->retry);
    g_free(filter->buffer);
    g_free(filter->device);
}

static char *get_device(Object *obj, Error **errp)
{
    return g_strdup(FILTER_STUBDOMAIN(obj)->device);
}

static void set_device(Object *obj, const char *value, Error **errp)
{
    FilterStubdomain *filter = FILTER_STUBDOMAIN(obj);

    g_free(filter->device);
    filter->device = g_strdup(value);
}

static void filter_class_init(ObjectClass *klass, void *data)
{
    NetFilterClass *nfc = NETFILTER_CLASS(klass);

    nfc->setup = filter_setup;
    nfc->cleanup = filter_cleanup;
    nfc->receive_iov = filter_receive;
    object_class_property_add_str(klass, "device", get_device, set_device);
}

static const TypeInfo filter_types[] = {
    {
        .name = TYPE_FILTER_STUBDOMAIN,
        .parent = TYPE_NETFILTER,
        .instance_size = sizeof(FilterStubdomain),
        .class_init = filter_class_init,
    },
};

DEFINE_TYPES(filter_types)
