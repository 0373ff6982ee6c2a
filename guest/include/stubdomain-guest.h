/*
 * libstubdomain-guest: tell the host that this program waits for a reply. For
 * C++ there is stubdomain-guest.hpp, for Python the module stubdomain_guest.
 *
 * A program that has sent a request on a TCP connection, and now waits for
 * the reply, calls sdg_wait() instead of blocking in read(). The host may then
 * suspend the whole virtual machine, and takes it up again when the reply has
 * come. The program reads the reply from the socket that it had all along.
 *
 *     write(fd, request, length);
 *     sdg_wait(fd, NULL, 0, NULL);
 *     read(fd, ...);
 *
 * A wait is advice. When it fails (no agent, not a virtual machine with a stub
 * domain, refused), the socket is as it was, and the program reads from it as
 * if it had never asked. Nothing is ever read from or written to the socket.
 *
 * Functions return SDG_OK or a negative enum sdg_error, unless said otherwise.
 * They may be called from any thread; a wait belongs to one thread at a time,
 * but for sdg_wait_cancel().
 * No function raises a signal, changes a signal handler, or starts a thread.
 *
 * The agent's socket is /run/stubdomain/agent.sock, or what the environment
 * variable STUBDOMAIN_AGENT_SOCKET names (which set-user-ID programs ignore).
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef STUBDOMAIN_GUEST_H
#define STUBDOMAIN_GUEST_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum sdg_error {
    SDG_OK = 0,
    SDG_PENDING = -1,     /* the wait is not over yet */
    SDG_NO_AGENT = -2,    /* no agent serves, or it went away */
    SDG_INVALID = -3,     /* the socket or the plan is not usable */
    SDG_DENIED = -4,      /* the connection is not the caller's */
    SDG_BUSY = -5,        /* not now: the agent has too many clients, or bytes
                           * are under way */
    SDG_REFUSED = -6,     /* the stub domain refused the wait */
    SDG_DEVICE = -7,      /* the device, or the agent, made no sense */
    SDG_SYSTEM = -8,      /* a system call failed: see sdg_error_text() */
};

/* How a wait ended. */
enum sdg_outcome {
    SDG_REPLIED = 0,   /* what the plan asks for can be read */
    SDG_CLOSED = 1,    /* the peer closed before that */
    SDG_RESET = 2,     /* the connection was reset */
    SDG_TIMEOUT = 3,   /* the longest wait is over */
    SDG_CANCELLED = 4, /* taken back, by the host */
};

struct sdg_result {
    enum sdg_outcome outcome;
    /* Bytes of the reply that had come by then. They may still be on their
     * way into the socket: read as usual, and expect to block shortly. */
    uint64_t bytes;
};

/*
 * Wait for the reply on `fd`, a TCP socket or a connected UDP socket. Of UDP
 * any datagram is the reply, and no plan is looked at.
 *
 * `plan_json`: handling plan, a JSON object (StubdomainPlan), such as
 *     {"bytes": 1000}; NULL: be woken by the reply's first byte.
 * `timeout_ms`: longest wait on the host's clock; 0: no limit.
 * `result`: may be NULL.
 *
 * Data that can be read already counts as reply. A signal does not end the
 * wait. Returns SDG_OK when the wait has ended, in whatever way; else as
 * sdg_wait_start() or sdg_wait_finish().
 */
int sdg_wait(int fd, const char *plan_json, uint32_t timeout_ms,
             struct sdg_result *result);

/*
 * The same in two steps, for programs with an event loop. Returns a
 * descriptor (0 or greater) to poll for reading, or a negative enum sdg_error.
 * The socket may be used meanwhile, but what is read from it no longer tells
 * the host anything. close() of the descriptor cancels the wait. Poll a UDP
 * socket as well: a datagram that comes while the wait is laid is not noticed.
 */
int sdg_wait_start(int fd, const char *plan_json, uint32_t timeout_ms);

/*
 * Take the result when the descriptor is readable. Never blocks. SDG_PENDING:
 * the wait goes on, poll again. In every other case the wait is over, and the
 * descriptor closed.
 */
int sdg_wait_finish(int wait, struct sdg_result *result);

/*
 * Waits that are for more than one socket, or can be taken back by another
 * thread.
 *
 * The two structures begin with their size, sizeof(struct ...), so that later
 * versions can have more members. What a caller's structure does not have is as
 * if it was 0.
 */
struct sdg_options {
    size_t size;
    const char *plan_json; /* as for sdg_wait(); for each of the sockets */
    uint32_t timeout_ms;   /* as for sdg_wait() */
    uint32_t flags;        /* SDG_NO_SUSPEND, or 0 */
    uint32_t thread;       /* that waits, see sdg_register(); 0: none */
    uint32_t importance;   /* of the reply, 0 to 5 */
    uint32_t elapsed_ms;   /* since the program began to wait */
    uint32_t depth;        /* how deep the machine may sleep: enum sdg_depth */
    uint32_t evict_delay_ms; /* until its memory is given back; 0: as the host
                            * says */
    uint32_t expected_ms;  /* from when the program began to wait to the reply,
                            * as it expects; 0: it does not say */
    const char *request_class; /* kind of request, at most 32 bytes: how long
                            * replies take is learned for each apart; NULL: "" */
};
enum sdg_depth {
    SDG_DEPTH_DEFAULT = 0, /* as the host says */
    SDG_DEPTH_IDLE = 1,    /* its processors stop */
    SDG_DEPTH_EVICT = 2,   /* its memory is given back, too */
    SDG_DEPTH_AUTO = 3,    /* the same, if that is worth it */
};
/* The wait does not propose to suspend the machine. */
#define SDG_NO_SUSPEND 1u

struct sdg_end {
    size_t size; /* filled in by the caller; a call writes no more */
    enum sdg_outcome outcome;
    uint64_t bytes; /* as in struct sdg_result */
    /* Index of the socket that it is about. 0 as well when the wait ended
     * without one: it was taken back. */
    size_t socket;
    uint64_t buffered; /* bytes of the reply in the buffer, see sdg_wait_into();
                        * else 0 */
};

/* Sockets of one wait. */
#define SDG_MAX_SOCKETS 64

/*
 * Begin a wait for any of `count` sockets: TCP, connected UDP, or listening TCP
 * sockets, for which it is a reply that somebody connects. The first socket that
 * ends it ends it for all. If one of them is refused, all are.
 *
 * `options`: may be NULL.
 *
 * Returns a descriptor (0 or greater) for the functions below, which may be
 * polled for reading, or a negative enum sdg_error. close() of the descriptor
 * takes the wait back. Poll UDP and listening sockets as well, as for
 * sdg_wait_start(); sdg_wait_any() does so by itself.
 */
int sdg_wait_begin(const int *fds, size_t count,
                   const struct sdg_options *options);

/*
 * Take the end of a wait that sdg_wait_begin() began. sdg_wait_poll() never
 * blocks, and returns SDG_PENDING if the wait goes on; sdg_wait_end() blocks
 * until it ends. In every other case than SDG_PENDING the wait is over, and the
 * descriptor closed. `end` may be NULL.
 */
int sdg_wait_poll(int wait, struct sdg_end *end);
int sdg_wait_end(int wait, struct sdg_end *end);

/*
 * Take a wait back, from any thread: it ends as SDG_CANCELLED, if it has not
 * ended otherwise just now. The thread that waits still has to take its end.
 */
int sdg_wait_cancel(int wait);

/* Begin a wait, and block until it ends. Returns as the functions above. */
int sdg_wait_any(const int *fds, size_t count,
                 const struct sdg_options *options, struct sdg_end *end);

/*
 * Memory that the host may write a reply into while the machine sleeps, so that
 * it is there when the program goes on. `data`: page-aligned but for 32 bytes,
 * `size` bytes long. The rest is the library's.
 *
 * sdg_buffer_make() makes one of 1 to SDG_MAX_BUFFER bytes; it can be used for
 * many waits, one at a time. sdg_buffer_free() gives it back, after the wait.
 */
#define SDG_MAX_BUFFER 262112
struct sdg_buffer {
    void *data;
    size_t size;
    int memory; /* a descriptor, closed on exec */
};
int sdg_buffer_make(size_t size, struct sdg_buffer *buffer);
void sdg_buffer_free(struct sdg_buffer *buffer);

/*
 * As sdg_wait_any() for one TCP connection, with a buffer. Afterwards the first
 * end->buffered bytes of what the connection has brought are in the buffer, and
 * all that follows is in the socket: the program has read them, in effect. 0:
 * all is in the socket as ever, because the machine did not sleep, something of
 * the reply had come before it did, or the memory could not be used. Then the
 * content of the buffer says nothing. During the wait nobody may read from the
 * socket, nor use the buffer, nor fork() and use it in both processes.
 *
 * `options`: may be NULL. `end`: its size must have room for `buffered`.
 * An error means that nothing is in the buffer.
 */
int sdg_wait_into(int fd, const struct sdg_buffer *buffer,
                  const struct sdg_options *options, struct sdg_end *end);

/*
 * Register a thread of this program: the machine is suspended only when enough
 * of its registered threads wait, as the host's policy says. `name` is for
 * people, at most 64 bytes; may be NULL.
 *
 * Returns a descriptor (0 or greater), and in *thread the number for struct
 * sdg_options; or a negative enum sdg_error. close() of the descriptor, or the
 * end of the program, takes the thread off the list.
 */
int sdg_register(const char *name, uint32_t *thread);

/*
 * No wait is to suspend the machine, from now until close() of the descriptor
 * that is returned, or the end of the program. Negative: an enum sdg_error.
 */
int sdg_inhibit(void);

/*
 * As sdg_wait(), for a TCP connection that does not need its socket meanwhile:
 * the stub domain takes the connection from the socket at once, and gives it to
 * a new one afterwards, whatever the outcome.
 *
 * `fd`: the socket. When the wait has begun it is closed, and *fd is -1. When
 * the wait has ended, *fd is the new socket, which may have another number.
 * Bytes that came and were not read are in it. What setsockopt() and fcntl()
 * set on the old one is to be set again. Other descriptors of the old socket
 * (of a child process, say) are no longer connected.
 *
 * Returns as sdg_wait(). After an error before the wait began, *fd and the
 * socket are as they were. After an error later *fd is -1: the connection is
 * lost to the program. That is so if the agent was killed, or if the peer has
 * not acknowledged for half a minute what was sent last. A program that ends
 * during the wait closes the connection.
 *
 * Waits up to SDG_DETACH_MS, without the stub domain, for the peer to
 * acknowledge all that was written; after that it is SDG_BUSY. The agent must
 * run in the network namespace of the socket.
 */
#define SDG_DETACH_MS 10000
int sdg_wait_detached(int *fd, const char *plan_json, uint32_t timeout_ms,
                      struct sdg_result *result);

/*
 * Write the status of this machine's stub domain, a JSON object, into
 * `buffer`, cut to `size` bytes with the closing zero. Returns the length that
 * it has without the cut, or a negative enum sdg_error.
 */
int sdg_status(char *buffer, size_t size);

/*
 * What went wrong in this thread's last call that returned a negative value
 * other than SDG_PENDING, for a person. Valid until the thread's next call.
 */
const char *sdg_error_text(void);

#ifdef __cplusplus
}
#endif

#endif
