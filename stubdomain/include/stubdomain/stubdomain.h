/*
 * Stub domain core: the C API.
 *
 * The core is handed events and the time, and returns effects. It does no
 * I/O, reads no clock, starts no thread and never logs. Conventions:
 *
 * 1. An object of type sd_stub belongs to one thread at a time (QEMU: whoever
 *    holds the BQL).
 * 2. Event functions (sd_on_*, sd_wait, ...) never call back. What they cause
 *    is kept, and delivered by sd_dispatch() through the callback table.
 *    After any event function: if sd_pending(), arrange for sd_dispatch() to
 *    run soon, but not from inside a network callback; and arm a timer for
 *    sd_next_deadline().
 * 3. A callback may call any event function (sending a frame makes the other
 *    side answer at once). It must not call sd_dispatch() or sd_free().
 * 4. Times are nanoseconds of one monotonic clock that runs on while the VM is
 *    stopped. They never go back.
 * 5. Pointers handed in are read during the call only; pointers handed to a
 *    callback are valid during the callback only.
 * 6. No exception leaves the core. Out of memory ends the process, as in QEMU.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef STUBDOMAIN_STUBDOMAIN_H
#define STUBDOMAIN_STUBDOMAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sd_stub sd_stub;

/* The longest frame: a GSO frame of 64 KiB and its headers. */
#define SD_FRAME_MAX (65536 + 256)
/* NICs of a VM; they are numbered from 0 on. */
#define SD_MAX_NICS 16
/* Callbacks `alert` in a second. */
#define SD_ALERTS_MAX 10
/* Bytes of a message that an alert shows. */
#define SD_ALERT_PART_MAX 1024
/* No deadline. */
#define SD_NEVER UINT64_MAX
/* Bytes of the name of a registered thread. */
#define SD_THREAD_NAME_MAX 64
/* The importance of a wait is from 0 to this. */
#define SD_MAX_IMPORTANCE 5
/* Bytes of the name of a class of requests. */
#define SD_CLASS_MAX 32
/* Bytes of the name of an application. */
#define SD_APPLICATION_MAX 64
/* Inhibits of the guest, and of the host. */
#define SD_MAX_INHIBITS 65535
/* Suspends that the budget for a minute can allow. */
#define SD_MAX_BUDGET 600
/* Decisions that are remembered. */
#define SD_MAX_DECISIONS 16
/* Longest time that a suspend waits for connections which nobody waits on to
 * be covered: what the guest has sent and the peer has not acknowledged is kept
 * from the proposal on, so that it can be sent again in the guest's name. */
#define SD_QUIET_MS 1000

/* The two ends of the guest's network, as seen from the stub domain. */
enum sd_side { SD_GUEST, SD_PEER };

/*
 * What virtio's header says of a frame (virtio 1.2, 5.1.6). All zero: the
 * checksum is in place, and the frame is at most the MTU long.
 */
enum sd_gso { SD_GSO_NONE, SD_GSO_TCPV4, SD_GSO_UDP, SD_GSO_TCPV6, SD_GSO_UDP_L4 };

struct sd_offload {
    bool needs_csum;      /* the checksum at csum_start + csum_offset is partial */
    bool data_valid;      /* the checksum was verified */
    bool ecn;             /* GSO with ECN (CWR only in the first segment) */
    enum sd_gso gso;
    uint16_t gso_size;    /* payload of each segment */
    uint16_t header_len;  /* Ethernet, IP and TCP headers together */
    uint16_t csum_start;
    uint16_t csum_offset;
};

struct sd_frame {
    const uint8_t *data;  /* from the Ethernet destination on, no FCS */
    size_t length;
    struct sd_offload offload;
};

enum sd_verdict {
    SD_PASS,  /* not the core's: let the frame go on unchanged */
    SD_TAKEN, /* the core has it: the frame must not go on */
};

enum sd_state {
    SD_RUNNING,
    SD_SUSPENDING, /* memory is written, or the vCPUs are about to stop */
    SD_SUSPENDED,
    SD_IDLE,       /* the vCPUs are stopped, and memory stays for now */
};

/* How deep a VM sleeps. Order as StubdomainDepth. */
enum sd_depth {
    SD_DEPTH_IDLE,  /* its vCPUs are stopped */
    SD_DEPTH_EVICT, /* its memory is given back, too */
    SD_DEPTH_AUTO,  /* the same, but only while that is worth what it costs */
};


/* Order as StubdomainRestoreReason in qapi/stubdomain.json. */
enum sd_reason {
    SD_REASON_REPLY,
    SD_REASON_TIMEOUT,
    SD_REASON_UNMATCHED,
    SD_REASON_BUFFER,
    SD_REASON_HOST,
};

/* Order as StubdomainOutcome. */
enum sd_outcome {
    SD_REPLIED,
    SD_CLOSED,
    SD_RESET,
    SD_TIMED_OUT,
    SD_CANCELLED,
};

/* Order as StubdomainUnmatched. */
enum sd_unmatched { SD_UNMATCHED_IGNORE, SD_UNMATCHED_ALERT, SD_UNMATCHED_RESTORE };

/* Order as StubdomainOwner. */
enum sd_owner { SD_OWNER_GUEST, SD_OWNER_HOST };

/* Why a request was refused; sd_refusal_text() says it to a person. */
enum sd_refusal {
    SD_OK,
    SD_REFUSED_UNKNOWN_FLOW,   /* no such connection is followed */
    SD_REFUSED_AMBIGUOUS_FLOW, /* several connections match */
    SD_REFUSED_FLOW_NOT_ESTABLISHED,
    SD_REFUSED_FLOW_UNTRACKED, /* its SYN was not seen */
    SD_REFUSED_TOO_MANY_STUBS,
    SD_REFUSED_UNKNOWN_STUB,
    SD_REFUSED_NOT_RUNNING,    /* the VM neither runs nor idles */
    SD_REFUSED_NOT_SUSPENDED,  /* it is neither suspending nor suspended */
    SD_REFUSED_BAD_WAIT,       /* it names no port, or contradicts itself */
    SD_REFUSED_FLOW_BUSY,      /* the peer has not acknowledged all yet */
    SD_REFUSED_NOT_DETACHED,   /* the guest still has its socket */
    SD_REFUSED_PORT_IN_USE,    /* by another connection to the same peer */
    SD_REFUSED_NO_SEED,        /* sd_seed() was not called */
    SD_REFUSED_BAD_STATE,      /* serial form: malformed */
    SD_REFUSED_BAD_VERSION,    /* serial form: made by another version */
    SD_REFUSED_FLOW_MULTIPATH,     /* it uses MPTCP */
    SD_REFUSED_FLOW_AUTHENTICATED, /* it uses TCP-MD5 or TCP-AO */
    SD_REFUSED_PLANS_TOO_LARGE, /* the memory of all waits' plans together */
    SD_REFUSED_PLAN_FORMAT,    /* the plan is for a stream, and datagrams are
                                * awaited */
    SD_REFUSED_PLAN_ANSWER,    /* the same of what it answers or sends */
    SD_REFUSED_PLAN_RETRIES,   /* the peer of a connection has the request */
    SD_REFUSED_PLAN_AFTER,     /* something follows a restore, and datagrams
                                * are awaited */
    SD_REFUSED_PLAN_SCRIPT,    /* serial form: a plan has one, and
                                * sd_config.scripts is not set */
    SD_REFUSED_TOO_MANY_THREADS,
    SD_REFUSED_UNKNOWN_THREAD,     /* it is not registered (any more) */
    SD_REFUSED_THREAD_NAME,        /* longer than SD_THREAD_NAME_MAX */
    SD_REFUSED_CLASS_NAME,         /* longer than SD_CLASS_MAX */
    SD_REFUSED_APPLICATION_NAME,   /* longer than SD_APPLICATION_MAX */
    SD_REFUSED_TOO_MANY_INHIBITS,
    SD_REFUSED_NOT_INHIBITED,      /* not by that owner */
    SD_REFUSED_BUFFER,             /* see struct sd_buffer */
};

const char *sd_refusal_text(enum sd_refusal refusal);

/*
 * A handling plan: what is to be done with a reply. `json` is a StubdomainPlan
 * of qapi/stubdomain.json, `length` bytes; docs/interop/stubdomain-plan.rst says
 * what it means. `scripts`: it may have some. Null if it is refused: then the
 * first `size` bytes of `error` say why, and where in the plan, with a closing
 * zero. May be freed while waits with it are open.
 */
typedef struct sd_plan sd_plan;

sd_plan *sd_plan_new(const char *json, size_t length, bool scripts, char *error,
                     size_t size);
void sd_plan_free(sd_plan *plan);

struct sd_address {
    uint8_t family;    /* 4 or 6; 0: any */
    uint8_t bytes[16]; /* network order; IPv4 in the first four */
    uint16_t port;     /* host order; 0: any */
    uint8_t prefix;    /* only so many bits of the address count; 0: all */
};

struct sd_flow_id {
    struct sd_address guest;
    struct sd_address peer;
};

enum sd_protocol { SD_TCP, SD_UDP };

/* Memory of the guest that a reply may be written into. */
#define SD_BUFFER_PAGES_MAX 64
#define SD_BUFFER_PAGE_SIZE 4096
#define SD_NONCE_LENGTH 16

struct sd_buffer {
    uint8_t nonce[SD_NONCE_LENGTH];     /* by which the glue knows the pages */
    uint32_t pages;                     /* 1 to SD_BUFFER_PAGES_MAX */
    uint64_t page[SD_BUFFER_PAGES_MAX]; /* where they begin, aligned */
    uint32_t length;                    /* bytes that they have room for, at
                                         * least 1 */
};

/* What becomes of a new connection while the guest is stopped. */
enum sd_accept {
    SD_ACCEPT_NONE,   /* not a wait for a new connection */
    SD_ACCEPT_HOLD,   /* the guest is woken and answers it */
    SD_ACCEPT_ANSWER, /* the stub answers it, and hands it over afterwards */
};

/*
 * What is waited for:
 *
 * - SD_TCP, SD_ACCEPT_NONE: more bytes on a connection that there is, and the
 *   only one like that.
 * - SD_TCP, SD_ACCEPT_HOLD: a peer that connects to the port of .guest, whose
 *   address may be "any". The wait ends when a peer's SYN comes, which is kept
 *   and handed to the guest.
 * - SD_TCP, SD_ACCEPT_ANSWER: the same, but the connection is established in
 *   the guest's name, and the wait ends when one has brought .bytes (or has
 *   been closed by the peer after fewer). Once the guest is ready, it sees the
 *   peer connect to guest_port, send what was kept, and go on. Nobody needs to
 *   listen before that. If nobody does then, the peer is reset. Needs
 *   sd_seed(). Other peers that connect meanwhile are served the same way, up
 *   to sd_config.max_accepted.
 * - SD_UDP: a datagram from .peer to .guest, whose port is named. Datagrams are
 *   handed to the guest in order when it runs. An ICMP error about a datagram of the pair ends the wait as SD_RESET.
 */
struct sd_wait {
    enum sd_owner owner;
    struct sd_flow_id flow;
    bool has_received;
    uint64_t received;      /* tcpi_bytes_received when nothing was to read */
    uint32_t timeout_ms;    /* 0: none */
    uint64_t bytes;         /* wake at this many bytes, at least 1; 0 (only with
                             * SD_ACCEPT_ANSWER): at the handshake */
    bool suspend;           /* proposes to suspend the VM */
    enum sd_protocol protocol;
    enum sd_accept accept;
    uint16_t guest_port;    /* with SD_ACCEPT_ANSWER; 0: the port of .guest */
    sd_plan *plan;          /* instead of .bytes; null, and always with
                             * .accept: none */
    uint32_t thread;        /* registered thread that waits; 0: none, see
                             * sd_register_thread() */
    uint8_t importance;     /* of the reply, up to SD_MAX_IMPORTANCE */
    uint32_t elapsed_ms;    /* since the program's call began: the longest wait
                             * and the delay before a suspend count from there */
    uint32_t expected_ms;   /* from the call to the reply, as the program
                             * expects; 0: it does not say */
    const char *request_class; /* kind of request, by which reply times are
                             * learned; NULL: as if "" */
    uint8_t nic;            /* 1 + its number; 0: any */
    const char *application; /* who waits, for whoever looks; NULL: as if "" */
    bool has_depth;         /* false: the policy's */
    enum sd_depth depth;    /* of the suspend, while this wait is open */
    bool has_evict_delay;   /* false: the policy's */
    uint32_t evict_delay_ms; /* from the stop of the vCPUs to the eviction */
    const struct sd_buffer *buffer; /* with SD_TCP, SD_ACCEPT_NONE and .received:
                             * see sd_next_buffer(); NULL: none */
};

struct sd_stub_info {
    uint32_t stub;
    enum sd_owner owner;
    enum sd_protocol protocol;
    enum sd_accept accept;
    struct sd_flow_id flow;
    uint64_t bytes;
    uint64_t wanted;
    uint64_t timeout_left_ms; /* SD_NEVER: never */
    uint32_t thread;          /* 0: none */
    uint8_t importance;
    uint64_t expected_ms;     /* from the call on; SD_NEVER: not known */
    uint8_t nic;              /* as sd_wait has it */
    char application[SD_APPLICATION_MAX + 1];
};

/* A thread that registered. */
struct sd_thread_info {
    uint32_t thread;
    char name[SD_THREAD_NAME_MAX + 1];
    bool waiting;
};

/* The longest name of a handler. */
#define SD_HANDLER_MAX 64

/* Who claimed a message of a reply. */
struct sd_claim {
    char handler[SD_HANDLER_MAX + 1]; /* empty: no handler of the plan */
    uint32_t message;                 /* which message of the reply, from 0 */
    uint64_t offset;                  /* bytes of the reply that this took */
};

struct sd_ended {
    uint32_t stub;
    enum sd_owner owner;
    enum sd_outcome outcome;
    uint64_t bytes;
    struct sd_claim claim;            /* SD_REPLIED: all zero without a plan */
    bool answered;                    /* SD_TIMED_OUT: the plan's own reply has
                                       * taken the place of the peer's */
};

/* A plan says that somebody should know of a message. */
struct sd_alert {
    uint32_t stub;
    struct sd_claim claim;
    const uint8_t *part;  /* the last bytes of the message by then, at most */
    size_t length;        /* SD_ALERT_PART_MAX */
    uint64_t at;          /* where they begin in the reply */
    const char *problem;  /* why the message stays as it came, although the
                           * plan wants it changed or has a script that is to
                           * decide; NULL: not about that */
    const char *text;     /* what a script of the plan says; NULL: nothing */
};

/* When the VM is suspended, and what wakes it. */
struct sd_policy {
    uint32_t pause_threads;   /* registered threads that must wait; 0: a share */
    uint32_t pause_share;     /* percent of them that must wait */
    uint32_t wake_replies;    /* waits that must have ended by a reply */
    uint32_t wake_share;      /* percent of the waits that must have, too */
    uint32_t wake_importance; /* a reply of this importance wakes at once;
                               * above SD_MAX_IMPORTANCE: none does */
    uint32_t min_interval_ms; /* from a restore to the next suspend that waits
                               * propose */
    uint32_t budget;          /* suspends in any minute that waits may propose,
                               * at most SD_MAX_BUDGET; 0: any number */
    uint32_t threshold_ms;    /* a shorter wait is not worth a suspend */
    uint32_t value;           /* percent: what it costs that the VM does not run,
                               * beside its memory; 0: nothing */
    uint32_t learned;         /* percent of the past replies that took longer
                               * than what is expected of the next; 0: nothing
                               * is learned */
    enum sd_depth depth;      /* of a suspend */
    uint32_t evict_delay_ms;  /* from the stop of the vCPUs to the eviction */
};

/* What a suspend and a restore of this VM cost, as measured last. */
struct sd_costs {
    uint64_t suspend_us;
    uint64_t wake_us;
    uint64_t bytes_back;      /* given back by the suspend */
    uint64_t guest_bytes;     /* memory of the VM */
};

/* How scarce memory is on the host: the share of time in which some, and all,
 * wait for it (PSI). */
struct sd_pressure {
    uint32_t some_percent;
    uint32_t full_percent;
};

/* What a VM gave back so far. */
struct sd_given_back {
    uint64_t idle_ms;         /* with its vCPUs stopped */
    uint64_t evicted_ms;      /* with its memory given back, too */
    uint64_t byte_seconds;    /* of that memory */
};

enum sd_decided {
    SD_DECIDED_STAY,    /* a suspend is proposed, and the guest runs on */
    SD_DECIDED_SUSPEND, /* its memory is given back at once */
    SD_DECIDED_SLEEP,   /* a reply came, and the guest sleeps on */
    SD_DECIDED_WAKE,
    SD_DECIDED_IDLE,    /* its vCPUs are stopped, and its memory stays for now */
    SD_DECIDED_EVICT,   /* that is over, and its memory is given back */
};

/* Order as StubdomainWhy, which lacks the last. */
enum sd_why {
    SD_WHY_WAITS,          /* enough waits propose it */
    SD_WHY_HOST,           /* the host asked for it */
    SD_WHY_DELAY,          /* the delay from the wait on is not over */
    SD_WHY_THREADS,        /* too few registered threads wait */
    SD_WHY_INHIBITED,
    SD_WHY_UNACKNOWLEDGED, /* a connection is not covered, see SD_QUIET_MS */
    SD_WHY_INTERVAL,       /* the guest runs again for too short a time */
    SD_WHY_BUDGET,         /* there were too many suspends in this minute */
    SD_WHY_SHORT,          /* the wait is expected to end too soon */
    SD_WHY_REPLIES,        /* enough replies, or too few */
    SD_WHY_IMPORTANCE,     /* an important reply came */
    SD_WHY_TIMEOUT,        /* the longest wait is over */
    SD_WHY_UNMATCHED,      /* something came that no wait is for */
    SD_WHY_BUFFER,         /* no more can be kept */
    SD_WHY_IDLE,           /* the vCPUs are idle, see sd_vcpus_idle() */
    SD_WHY_CONNECTIONS,    /* they are, but not each connection is awaited */
    SD_WHY_NOTHING,        /* nothing proposes a suspend: not a decision */
};

/* A decision, and what it rests on. */
struct sd_decision {
    enum sd_decided decided;
    enum sd_why why;
    uint64_t age_ms;       /* when that was decided */
    uint64_t due_ms;       /* STAY: until the suspend, IDLE: until the eviction,
                            * if nothing happens until then; SD_NEVER: it does
                            * not come by itself */
    uint32_t registered;   /* threads */
    uint32_t waiting;      /* of them */
    uint32_t needed;       /* of them, for a suspend */
    uint32_t awaited;      /* threads, and waits of none, that were waited for */
    uint32_t answered;     /* of them */
    uint32_t replies;      /* of them, for a wake */
    uint32_t importance;   /* highest of the replies that are kept */
    uint32_t inhibits;
    uint32_t suspends;     /* in the last minute */
    uint64_t expected_ms;  /* until something wakes the VM, as expected;
                            * SD_NEVER: not known */
    uint64_t least_ms;     /* that it must be for a suspend */
    struct sd_costs costs; /* by which that is so, with the policy */
    struct sd_pressure pressure;
};

/* Every bound has a default; sd_config_init() sets them. */
struct sd_config {
    uint32_t max_flows;           /* connections followed */
    uint32_t max_stubs;           /* open listener stubs */
    uint32_t max_threads;         /* registered threads */
    uint32_t max_accepted;        /* connections that were answered, and that
                                   * the guest does not have yet */
    uint64_t flow_buffer;         /* bytes kept for one connection */
    uint64_t total_buffer;        /* bytes kept for all */
    uint32_t max_ranges;          /* pieces of one connection that are kept
                                   * behind gaps, at most 1024 */
    uint64_t resend_buffer;       /* bytes kept of what one connection's guest
                                   * has sent, to send them again */
    uint64_t total_resend_buffer; /* of all */
    uint32_t suspend_delay_ms;    /* from the wait message to the suspend */
    uint32_t ready_timeout_ms;    /* longest wait for the guest's "ready" */
    uint32_t prepare_timeout_ms;  /* and for its "prepared"; 0: not asked */
    uint32_t keepalive_ms;        /* keep-alives to peers while suspended; 0: none */
    enum sd_unmatched unmatched;
    bool scripts;                 /* saved waits may come with scripts */
    struct sd_policy policy;
};

void sd_config_init(struct sd_config *config);

struct sd_callbacks {
    /*
     * Send a frame to one side of NIC number `port`. False: it cannot be
     * taken now; the core keeps it, and goes on after sd_on_writable().
     */
    bool (*send)(void *opaque, unsigned port, enum sd_side to,
                 const struct sd_frame *frame);
    /* Stop the vCPUs, and answer with sd_on_stopped(). `evict`: write guest RAM
     * as well, and answer with sd_on_suspended() or sd_on_suspend_failed(). A
     * wait proposes this once. */
    void (*suspend)(void *opaque, bool evict);
    /* The agent is told that a suspend is about to begin, and says
     * sd_prepared(); or, with false: that it does not begin after all. */
    void (*prepare)(void *opaque, bool begins);
    /* The vCPUs are stopped, and guest RAM is to be written now. Answer with
     * sd_on_suspended() or sd_on_suspend_failed(). */
    void (*evict)(void *opaque);
    /* Run the vCPUs (again): cancel a suspend, or restore. Answer with
     * sd_on_running(). Comes after sd_on_stopped() only, once per suspend. */
    void (*restore)(void *opaque, enum sd_reason reason);
    /* A listener stub was laid. */
    void (*waiting)(void *opaque, const struct sd_stub_info *info);
    /* A wait ended. */
    void (*ended)(void *opaque, const struct sd_ended *ended);
    /* A plan's action "alert". At most SD_ALERTS_MAX a second; what is more is
     * not told. */
    void (*alert)(void *opaque, const struct sd_alert *alert);
    /* Something came that no listener stub waits for (policy: alert or
     * restore). At most one a second. */
    void (*unmatched)(void *opaque, const char *description);
    /* What sd_suspend() asked for is given up before the suspend callback: a
     * wait ended first, or sd_restore() took it back. */
    void (*suspend_cancelled)(void *opaque, enum sd_reason reason);
};

sd_stub *sd_new(const struct sd_config *config,
                const struct sd_callbacks *callbacks, void *opaque);
void sd_free(sd_stub *stub);
/* Random bytes that no peer knows, for what no peer may guess. */
#define SD_SEED_LENGTH 16
void sd_seed(sd_stub *stub, const uint8_t seed[SD_SEED_LENGTH]);
/* May be called at any time; bounds that shrink bind what comes next. */
void sd_set_config(sd_stub *stub, const struct sd_config *config);

/* -- effects -- */

bool sd_pending(const sd_stub *stub);
/* Delivers a bounded number of effects: if sd_pending() holds afterwards, run
 * it again soon. What waits for sd_on_writable() is not pending. */
void sd_dispatch(sd_stub *stub, uint64_t now);
/* When sd_dispatch() must run even if nothing happens; SD_NEVER: never. */
uint64_t sd_next_deadline(const sd_stub *stub);

/* -- the network -- */

/* A frame that `from` sends on NIC number `port`. Malformed frames pass, unless
 * they are for a stopped guest: what it cannot get is taken. */
enum sd_verdict sd_on_frame(sd_stub *stub, unsigned port, enum sd_side from,
                            const struct sd_frame *frame, uint64_t now);
/*
 * Spares the glue gathering a large frame that will pass. Only the first `head`
 * bytes of the frame's memory need to hold the frame. True: it passes, which is
 * all that sd_on_frame() would have said. False: nothing was done.
 */
bool sd_pass_head(sd_stub *stub, unsigned port, const struct sd_frame *frame,
                  size_t head, uint64_t now);
/* The side that refused a frame can take one again. */
void sd_on_writable(sd_stub *stub, unsigned port, enum sd_side side);
/*
 * Whether `from` may send: false while frames of that side would have to be
 * dropped, because too many replies to it are pending. The glue then returns 0
 * to QEMU's queue and flushes it after a later sd_dispatch().
 */
bool sd_can_take(const sd_stub *stub, unsigned port, enum sd_side from);

/* -- the VM -- */

/* The vCPUs are stopped for a suspend that the core asked for: flows are
 * adopted from here on. */
void sd_on_stopped(sd_stub *stub, uint64_t now);
/* Memory is written and given back: sd_costs.bytes_back of it, if that was set
 * before. */
void sd_on_suspended(sd_stub *stub, uint64_t now);
/* The suspend failed after sd_on_stopped(); the glue runs the vCPUs and
 * reports sd_on_running(). Before sd_on_stopped(): the suspend never began. */
void sd_on_suspend_failed(sd_stub *stub, uint64_t now);
/*
 * Replies that go into the guest's memory instead of its socket. To be asked for
 * right before sd_on_running(), with the vCPUs still stopped: the first wait
 * behind number `after` that has a buffer, and ended since they stopped, while
 * the guest had nothing of its reply; 0: there is none (any more).
 */
uint32_t sd_next_buffer(const sd_stub *stub, uint32_t after,
                        struct sd_buffer *buffer);
/*
 * Takes the reply of such a wait, as far as it has come in order and fits in
 * `max` and in its buffer, out of the connection, which then goes on behind it
 * as if the peer had never sent it. Returns how many bytes these are; 0: none,
 * all goes to the socket. Of several waits on one connection, one can have it.
 */
size_t sd_take_reply(sd_stub *stub, uint32_t number, uint8_t *bytes, size_t max,
                     uint64_t now);
/* The vCPUs run, whoever started them. */
void sd_on_running(sd_stub *stub, uint64_t now);
/* The guest was reset: its flows and its waits are gone. A suspended one is
 * restored, as nothing is left that could wake it. */
void sd_on_reset(sd_stub *stub, uint64_t now);

/* -- requests -- */

enum sd_refusal sd_wait_for(sd_stub *stub, const struct sd_wait *wait,
                            uint64_t now, uint32_t *number);
/* `owner` SD_OWNER_GUEST may only cancel its own stubs; the host any. */
enum sd_refusal sd_cancel(sd_stub *stub, enum sd_owner owner, uint32_t number,
                          uint64_t now);
/* Without a wait: suspend as soon as the followed flows are covered (or
 * SD_QUIET_MS is over). Asked twice, it is the same suspend, as deep as was said
 * last. In SD_IDLE it says how deep the VM is to sleep from now on. */
enum sd_refusal sd_suspend(sd_stub *stub, enum sd_depth depth, uint64_t now);
/* Also takes back a suspend that has not begun. */
enum sd_refusal sd_restore(sd_stub *stub, uint64_t now);
/*
 * An agent is there (or no longer): kept data waits for sd_ready(). `prepares`:
 * it is to be told before a suspend, which then begins at sd_prepared(), and
 * after prepare_timeout_ms at the latest. Each time it was told, there is either
 * a suspend, or the callback says that there is none.
 */
void sd_agent(sd_stub *stub, bool present, bool prepares);
void sd_prepared(sd_stub *stub, uint64_t now);
void sd_ready(sd_stub *stub, uint64_t now);

/* -- threads of the guest -- */

/*
 * Threads register by their own wish. While any is, the guest's waits propose
 * to suspend the VM only once as many registered threads wait as the policy
 * says; a wait that names no thread does not count then. A thread waits as long
 * as one of its waits is open and none has ended since it last began one. While
 * none is registered, the whole VM is one: any wait proposes.
 *
 * While the VM is suspended, a wait that ends by a reply wakes it if the policy
 * says so, counting the waits of one thread once. If not, the reply is kept.
 * Any other end of a wait but SD_CANCELLED wakes it always.
 *
 * A reset, sd_agent() included, forgets all threads.
 */
enum sd_refusal sd_register_thread(sd_stub *stub, const char *name, uint64_t now,
                                   uint32_t *thread);
/* Its waits stay, as waits of no thread. */
enum sd_refusal sd_leave_thread(sd_stub *stub, uint32_t thread, uint64_t now);
/* Fill up to `max` entries, return how many there are in all. */
size_t sd_get_threads(const sd_stub *stub, struct sd_thread_info *threads,
                      size_t max);

/* -- what keeps the VM running -- */

/*
 * A suspend that waits propose is worth what it costs if the wake that is
 * expected next lies far enough away: by the policy's threshold, and by what is
 * measured, weighed by its value and by how scarce memory is. A program that
 * waits may say what it expects; else it is learned from the past replies of
 * the same peer to requests of the same class. What is overdue by once more the
 * time that was expected is not expected any more, and so holds nothing up.
 */
void sd_set_costs(sd_stub *stub, const struct sd_costs *costs, uint64_t now);
void sd_set_pressure(sd_stub *stub, const struct sd_pressure *pressure,
                     uint64_t now);

/*
 * The vCPUs have had nothing to do for so long that the VM may be suspended
 * without being asked: as soon as something is awaited, and each connection of
 * the guest is, as long as `idle` was said last. Registered threads must wait as
 * for any suspend. The stop of the vCPUs ends it.
 */
void sd_vcpus_idle(sd_stub *stub, bool idle, uint64_t now);

/* While anybody inhibits, waits do not suspend the VM; sd_suspend() does. Each
 * call counts, up to SD_MAX_INHIBITS, until sd_allow() of the same owner. A
 * reset, sd_agent() included, takes back those of the guest. */
enum sd_refusal sd_inhibit(sd_stub *stub, enum sd_owner owner, uint64_t now);
enum sd_refusal sd_allow(sd_stub *stub, enum sd_owner owner, uint64_t now);

/* The last decisions, the oldest first: fill up to `max` entries, return how
 * many there are in all (at most SD_MAX_DECISIONS). */
size_t sd_get_decisions(const sd_stub *stub, uint64_t now,
                        struct sd_decision *decisions, size_t max);

/* -- connections without their socket -- */

/*
 * A program of the guest gives up the socket of a connection and keeps the
 * connection: it may end, or the guest may be another one afterwards. In order:
 *
 * 1. sd_detach(), before the guest closes the socket (silently: TCP_REPAIR; or
 *    in any other way, since nothing that the guest sends for this connection
 *    gets out any more). From here on the stub speaks for the guest as if it
 *    were stopped, whether it is or not: the peer's bytes are kept, and what
 *    the peer has not acknowledged of the guest's is sent again. Bytes that the
 *    guest has acknowledged but no program has read are lost with the socket;
 *    read them after sd_detach().
 * 2. One of:
 *    - sd_get_flow_parameters(), a socket made like that in the guest (see there),
 *      and sd_reattach(): the connection goes on, and what was kept follows.
 *      Only after a success of sd_reattach() may the socket send.
 *    - sd_connect_guest(): the peer connects to a port of the guest.
 *
 * Each of them is refused with SD_REFUSED_FLOW_BUSY as long as the peer has not
 * acknowledged what the guest has sent; ask again later. A peer that closes or
 * resets meanwhile is no reason for a refusal: the new socket is told. A
 * detached connection that nobody takes up stays until the peer resets it or
 * the guest is reset. Waits on it are served. The state is saved.
 */
enum sd_refusal sd_detach(sd_stub *stub, const struct sd_flow_id *flow,
                          uint64_t now);

/* In the guest's numbers, for Linux's TCP_REPAIR (tcp(7) has no page of its
 * own for it; the names are those of linux/tcp.h). */
struct sd_flow_parameters {
    struct sd_flow_id flow;   /* bind() and connect() to these while in repair */
    uint32_t send_next;       /* TCP_QUEUE_SEQ of TCP_SEND_QUEUE; also SND.UNA */
    uint32_t receive_next;    /* TCP_QUEUE_SEQ of TCP_RECV_QUEUE */
    uint32_t send_window;     /* tcp_repair_window.snd_wnd and .max_window; its
                               * .snd_wl1 is receive_next */
    uint32_t receive_window;  /* .rcv_wnd; .rcv_wup is receive_next */
    bool scaled;              /* TCPOPT_WINDOW: the two below */
    uint8_t send_shift;
    uint8_t receive_shift;
    uint16_t mss;             /* TCPOPT_MAXSEG */
    bool sack;                /* TCPOPT_SACK_PERM */
    bool timestamps;          /* TCPOPT_TIMESTAMP, and the two below */
    uint32_t timestamp;       /* TCP_TIMESTAMP: set the socket's clock to it */
    uint32_t timestamp_echo;  /* the peer's last, for PAWS */
};

enum sd_refusal sd_get_flow_parameters(sd_stub *stub,
                                       const struct sd_flow_id *flow,
                                       struct sd_flow_parameters *parameters);
enum sd_refusal sd_reattach(sd_stub *stub, const struct sd_flow_id *flow,
                            uint64_t now);
/* Once the guest runs and is ready, it sees the peer connect to guest_port,
 * send what was kept, and go on. If nobody listens there, the peer is reset. */
enum sd_refusal sd_connect_guest(sd_stub *stub, const struct sd_flow_id *flow,
                                 uint16_t guest_port, uint64_t now);

/* -- inspection -- */

struct sd_info {
    enum sd_state state;
    bool agent;
    uint32_t flows;
    uint32_t stubs;
    uint32_t guest_inhibits;
    uint32_t host_inhibits;
    uint32_t learned;       /* peers and classes whose reply times are known */
    uint64_t kept;          /* bytes kept for the guest */
    uint64_t condition_met; /* time of the last restore's cause; 0: none */
    uint64_t idle_flow_bytes; /* memory of one idle flow, for the figures */
};

void sd_get_info(const sd_stub *stub, struct sd_info *info);
void sd_get_given_back(const sd_stub *stub, uint64_t now,
                       struct sd_given_back *given_back);
/* Fill up to `max` entries, return how many there are in all. */
size_t sd_get_stubs(const sd_stub *stub, uint64_t now,
                    struct sd_stub_info *stubs, size_t max);

/* -- serial form: docs/interop/stubdomain-state.rst -- */

/* Save the whole state. Returns its length; writes it if it fits in `max`. Of
 * the effects that are pending, those that matter are saved with it. */
size_t sd_save(const sd_stub *stub, uint64_t now, uint8_t *data, size_t max);
/* Replace the state. On refusal the state is as before. A saved state that
 * was suspending or suspended loads as suspended; if its restore was requested,
 * the restore callback comes (again). */
enum sd_refusal sd_load(sd_stub *stub, uint64_t now, const uint8_t *data,
                        size_t length);

#ifdef __cplusplus
}
#endif

#endif
