/*
 * stubdomain-pci: requests in the mailbox, bad ones of every kind above all.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "stubdomain/rig.h"
#include "stubdomain/tests.h"

static void test_length(void)
{
    static const uint32_t bad[] = { 0, STUBDOMAIN_REQUEST_MAX + 1,
                                    STUBDOMAIN_MAILBOX_SIZE, UINT32_MAX };
    g_autofree char *longest = g_malloc(STUBDOMAIN_REQUEST_MAX);
    Rig rig = { };

    rig_start(&rig, "q35 " RIG_DEVICE);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        g_autofree char *text = NULL;

        rig_write(&rig, STUBDOMAIN_REG_REQUEST_LENGTH, bad[i]);
        rig_write(&rig, STUBDOMAIN_REG_DOORBELL, 0);
        g_assert_cmpuint(rig_read(&rig, STUBDOMAIN_REG_RESULT), ==,
                         STUBDOMAIN_RESULT_LENGTH);
        text = rig_response(&rig);
        g_assert_nonnull(strstr(text, "REQUEST_LENGTH"));
        g_assert_nonnull(strstr(text, "32768"));
        rig_assert_alive(&rig);
    }

    /* The longest that is allowed. */
    memset(longest, ' ', STUBDOMAIN_REQUEST_MAX);
    memcpy(longest, "{'op': 'status'}", 16);
    g_assert_cmpuint(rig_ring(&rig, longest, STUBDOMAIN_REQUEST_MAX), ==,
                     STUBDOMAIN_RESULT_OK);
    rig_stop(&rig);
}

#define FLOW "'flow': {'peer': {'host': '10.0.0.1', 'port': 80}}"
#define NONCE "0123456789abcdef0123456789ABCDEF"
#define PAGES4 "4096, 8192, 4096, 8192"
#define PAGES16 PAGES4 ", " PAGES4 ", " PAGES4 ", " PAGES4
#define BUFFER(nonce, pages, length) \
    "{'op': 'wait', 'received': 0, 'buffer': {'nonce': '" nonce "', 'pages': ["\
    pages "], 'length': " length "}, " FLOW "}"

static const struct {
    const char *name;
    const char *request;
    uint32_t result;
    const char *place; /* in the error text */
} bad_requests[] = {
    /* not JSON, or not an object */
    { "blank", "   ", STUBDOMAIN_RESULT_SYNTAX, "JSON" },
    { "words", "suspend me", STUBDOMAIN_RESULT_SYNTAX, "JSON" },
    { "unfinished", "{'op': 'status'", STUBDOMAIN_RESULT_SYNTAX, "JSON" },
    { "trailing", "{'op': 'status'} x", STUBDOMAIN_RESULT_SYNTAX, "JSON" },
    { "two", "{'op': 'status'}{'op': 'status'}", STUBDOMAIN_RESULT_SYNTAX,
      "JSON" },
    { "control", "{'op': '\x01'}", STUBDOMAIN_RESULT_SYNTAX, "JSON" },
    { "utf-8", "{'op': '\xff\xfe'}", STUBDOMAIN_RESULT_SYNTAX, "JSON" },
    { "interpolation", "{'op': %s}", STUBDOMAIN_RESULT_SYNTAX, "JSON" },
    { "escape", "{'op': '\\ud800'}", STUBDOMAIN_RESULT_SYNTAX, "JSON" },
    { "array", "[{'op': 'status'}]", STUBDOMAIN_RESULT_SYNTAX, "object" },
    { "string", "'status'", STUBDOMAIN_RESULT_SYNTAX, "object" },
    { "null", "null", STUBDOMAIN_RESULT_SYNTAX, "object" },
    { "number", "1e999", STUBDOMAIN_RESULT_SYNTAX, "object" },

    /* not of the schema */
    { "no-op", "{}", STUBDOMAIN_RESULT_SYNTAX, "op" },
    { "unknown-op", "{'op': 'fly'}", STUBDOMAIN_RESULT_SYNTAX, "op" },
    { "mistyped-op", "{'op': 1}", STUBDOMAIN_RESULT_SYNTAX, "op" },
    { "member-of-other-op", "{'op': 'status', 'stub': 1}",
      STUBDOMAIN_RESULT_SYNTAX, "stub" },
    { "wait-alone", "{'op': 'wait'}", STUBDOMAIN_RESULT_SYNTAX, "flow" },
    { "flow-mistyped", "{'op': 'wait', 'flow': 1}", STUBDOMAIN_RESULT_SYNTAX,
      "flow" },
    /* QEMU's visitor names the last part alone of values that do not fit. */
    { "port-65536",
      "{'op': 'wait', 'flow': {'peer': {'host': '10.0.0.1', 'port': 65536}}}",
      STUBDOMAIN_RESULT_SYNTAX, "'port'" },
    { "port-negative",
      "{'op': 'wait', 'flow': {'peer': {'host': '10.0.0.1', 'port': -1}}}",
      STUBDOMAIN_RESULT_SYNTAX, "'port'" },
    { "port-text",
      "{'op': 'wait', 'flow': {'peer': {'host': '10.0.0.1', 'port': '80'}}}",
      STUBDOMAIN_RESULT_SYNTAX, "flow.peer.port" },
    { "host-number",
      "{'op': 'wait', 'flow': {'peer': {'host': 10, 'port': 80}}}",
      STUBDOMAIN_RESULT_SYNTAX, "flow.peer.host" },
    { "protocol",
      "{'op': 'wait', 'flow': {'protocol': 'sctp',"
      " 'peer': {'host': '10.0.0.1', 'port': 80}}}",
      STUBDOMAIN_RESULT_SYNTAX, "protocol" },
    { "accept", "{'op': 'wait', 'accept': 'maybe', " FLOW "}",
      STUBDOMAIN_RESULT_SYNTAX, "accept" },
    { "unknown-member", "{'op': 'wait', 'urgent': true, " FLOW "}",
      STUBDOMAIN_RESULT_SYNTAX, "urgent" },
    { "unknown-plan-member", "{'op': 'wait', 'plan': {'lines': 1}, " FLOW "}",
      STUBDOMAIN_RESULT_SYNTAX, "plan.lines" },
    { "timeout-negative", "{'op': 'wait', 'timeout': -1, " FLOW "}",
      STUBDOMAIN_RESULT_SYNTAX, "timeout" },
    { "timeout-4294967296", "{'op': 'wait', 'timeout': 4294967296, " FLOW "}",
      STUBDOMAIN_RESULT_SYNTAX, "timeout" },
    { "received-fraction", "{'op': 'wait', 'received': 1.5, " FLOW "}",
      STUBDOMAIN_RESULT_SYNTAX, "received" },
    { "suspend-text", "{'op': 'wait', 'suspend': 'no', " FLOW "}",
      STUBDOMAIN_RESULT_SYNTAX, "suspend" },
    { "cancel-alone", "{'op': 'cancel'}", STUBDOMAIN_RESULT_SYNTAX, "stub" },
    { "detach-alone", "{'op': 'detach'}", STUBDOMAIN_RESULT_SYNTAX, "flow" },
    { "connect-nowhere", "{'op': 'connect', " FLOW "}",
      STUBDOMAIN_RESULT_SYNTAX, "guest-port" },
    { "thread-text", "{'op': 'wait', 'thread': 'main', " FLOW "}",
      STUBDOMAIN_RESULT_SYNTAX, "thread" },
    { "thread-negative", "{'op': 'wait', 'thread': -1, " FLOW "}",
      STUBDOMAIN_RESULT_SYNTAX, "thread" },
    { "importance-256", "{'op': 'wait', 'importance': 256, " FLOW "}",
      STUBDOMAIN_RESULT_SYNTAX, "importance" },
    { "depth-deep", "{'op': 'wait', 'depth': 'deep', " FLOW "}",
      STUBDOMAIN_RESULT_SYNTAX, "depth" },
    { "depth-number", "{'op': 'wait', 'depth': 1, " FLOW "}",
      STUBDOMAIN_RESULT_SYNTAX, "depth" },
    { "evict-delay-text", "{'op': 'wait', 'evict-delay': 'soon', " FLOW "}",
      STUBDOMAIN_RESULT_SYNTAX, "evict-delay" },
    { "evict-delay-large", "{'op': 'wait', 'evict-delay': 4294967296, " FLOW "}",
      STUBDOMAIN_RESULT_SYNTAX, "evict-delay" },
    { "importance-bool", "{'op': 'wait', 'importance': true, " FLOW "}",
      STUBDOMAIN_RESULT_SYNTAX, "importance" },
    { "elapsed-negative", "{'op': 'wait', 'elapsed': -1, " FLOW "}",
      STUBDOMAIN_RESULT_SYNTAX, "elapsed" },
    { "expected-text", "{'op': 'wait', 'expected': 'soon', " FLOW "}",
      STUBDOMAIN_RESULT_SYNTAX, "expected" },
    { "class-number", "{'op': 'wait', 'class': 1, " FLOW "}",
      STUBDOMAIN_RESULT_SYNTAX, "class" },
    { "name-number", "{'op': 'register', 'name': 1}",
      STUBDOMAIN_RESULT_SYNTAX, "name" },
    { "inhibit-for-a-while", "{'op': 'inhibit', 'timeout': 1}",
      STUBDOMAIN_RESULT_SYNTAX, "timeout" },
    { "hello-prepare-number", "{'op': 'hello', 'prepare': 1}",
      STUBDOMAIN_RESULT_SYNTAX, "prepare" },
    { "check-alone", "{'op': 'check'}", STUBDOMAIN_RESULT_SYNTAX, "plan" },
    { "check-bites", "{'op': 'check', 'plan': {'bites': 1}}",
      STUBDOMAIN_RESULT_SYNTAX, "plan.bites" },
    { "leave-alone", "{'op': 'leave'}", STUBDOMAIN_RESULT_SYNTAX, "thread" },
    { "leave-by-name", "{'op': 'leave', 'name': 'main'}",
      STUBDOMAIN_RESULT_SYNTAX, "thread" },
    { "cancel-4294967296", "{'op': 'cancel', 'stub': 4294967296}",
      STUBDOMAIN_RESULT_SYNTAX, "stub" },

    /* understood, but refused */
    { "no-peer", "{'op': 'wait', 'flow': {}}", STUBDOMAIN_RESULT_REFUSED,
      "flow: no such" },
    { "no-host", "{'op': 'wait', 'flow': {'peer': {'port': 80}}}",
      STUBDOMAIN_RESULT_REFUSED, "flow: no such" },
    { "no-port", "{'op': 'wait', 'flow': {'peer': {'host': '10.0.0.1'}}}",
      STUBDOMAIN_RESULT_REFUSED, "flow: no such" },
    { "udp-without-guest",
      "{'op': 'wait', 'flow': {'protocol': 'udp',"
      " 'peer': {'host': '10.0.0.1', 'port': 80}}}",
      STUBDOMAIN_RESULT_REFUSED, "flow.guest.port" },
    { "accept-without-port", "{'op': 'wait', 'flow': {}, 'accept': 'hold'}",
      STUBDOMAIN_RESULT_REFUSED, "flow.guest.port" },
    { "peer-name",
      "{'op': 'wait', 'flow': {'peer': {'host': 'example.org', 'port': 80}}}",
      STUBDOMAIN_RESULT_REFUSED, "flow.peer.host" },
    { "peer-empty",
      "{'op': 'wait', 'flow': {'peer': {'host': '', 'port': 80}}}",
      STUBDOMAIN_RESULT_REFUSED, "flow.peer.host" },
    { "peer-short",
      "{'op': 'wait', 'flow': {'peer': {'host': '10.1', 'port': 80}}}",
      STUBDOMAIN_RESULT_REFUSED, "flow.peer.host" },
    { "peer-scope",
      "{'op': 'wait', 'flow': {'peer': {'host': 'fe80::1%eth0', 'port': 80}}}",
      STUBDOMAIN_RESULT_REFUSED, "flow.peer.host" },
    { "peer-port-0",
      "{'op': 'wait', 'flow': {'peer': {'host': '10.0.0.1', 'port': 0}}}",
      STUBDOMAIN_RESULT_REFUSED, "flow.peer.port" },
    { "guest-port-0",
      "{'op': 'wait', 'flow': {'guest': {'host': '10.0.0.2', 'port': 0},"
      " 'peer': {'host': '10.0.0.1', 'port': 80}}}",
      STUBDOMAIN_RESULT_REFUSED, "flow.guest.port" },
    { "guest-name",
      "{'op': 'wait', 'flow': {'guest': {'host': 'me', 'port': 1},"
      " 'peer': {'host': '10.0.0.1', 'port': 80}}}",
      STUBDOMAIN_RESULT_REFUSED, "flow.guest.host" },
    { "two-families",
      "{'op': 'wait', 'flow': {'guest': {'host': '::1', 'port': 1},"
      " 'peer': {'host': '10.0.0.1', 'port': 80}}}",
      STUBDOMAIN_RESULT_REFUSED, "flow.guest.host" },
    { "plan-handler", "{'op': 'wait', 'plan': {'handlers': [{'when': {'any': "
      "[{'status': '20'}]}}]}, " FLOW "}",
      STUBDOMAIN_RESULT_REFUSED, "plan.handlers[0].when.any[0].status" },
    { "plan-pattern", "{'op': 'wait', 'plan': {'handlers': [{'when': "
      "{'pattern': {'regex': 'a$'}}}]}, " FLOW "}",
      STUBDOMAIN_RESULT_REFUSED, "plan.handlers[0].when.pattern.regex" },
    { "plan-action", "{'op': 'wait', 'plan': {'handlers': [{'when': "
      "{'bytes': 1}, 'do': ['alert', {'action': 'alert', 'at': 1}]}]}, "
      FLOW "}", STUBDOMAIN_RESULT_SYNTAX, "plan.handlers[0].do[1].at" },
    { "plan-action-number", "{'op': 'check', 'plan': {'handlers': [{'when': "
      "{'bytes': 1}, 'do': ['alert', 17]}]}}", STUBDOMAIN_RESULT_SYNTAX,
      "plan.handlers[0].do[1]: must be a string or an object" },
    { "plan-action-name", "{'op': 'check', 'plan': {'handlers': [{'when': "
      "{'bytes': 1}, 'do': ['alert', {'action': 'x'}]}]}}",
      STUBDOMAIN_RESULT_SYNTAX, "plan.handlers[0].do[1].action: 'x'" },
    { "plan-late-null", "{'op': 'wait', 'plan': {'late': [null]}, " FLOW "}",
      STUBDOMAIN_RESULT_SYNTAX, "plan.late[0]: must be" },
    { "plan-icmp", "{'op': 'wait', 'plan': {'handlers': [{'when': "
      "{'icmp': true}}]}, " FLOW "}",
      STUBDOMAIN_RESULT_SYNTAX, "plan.handlers[0].when.icmp" },
    { "plan-send", "{'op': 'wait', 'plan': {'handlers': [{'when': "
      "{'bytes': 1}, 'do': ['alert', {'action': 'send', 'bytes': '0g'}]}]}, "
      FLOW "}", STUBDOMAIN_RESULT_REFUSED, "plan.handlers[0].do[1].bytes" },
    { "plan-script-off", "{'op': 'wait', 'plan': {'format': 'http', "
      "'handlers': [{'when': {'bytes': 1}, 'do': ['alert', {'action': "
      "'script', 'source': 'return 1'}]}]}, " FLOW "}",
      STUBDOMAIN_RESULT_REFUSED, "plan.handlers[0].do[1]: this host allows no" },
    { "plan-script-syntax", "{'op': 'check', 'plan': {'format': 'http', "
      "'handlers': [{'when': {'bytes': 1}, 'do': [{'action': "
      "'script', 'source': '\\n\\nx'}]}]}}",
      STUBDOMAIN_RESULT_REFUSED, "plan.handlers[0].do[0].source: line 3:" },
    { "plan-script-alone", "{'op': 'check', 'plan': {'format': 'http', "
      "'handlers': [{'when': {'bytes': 1}, 'do': [{'action': 'script'}]}]}}",
      STUBDOMAIN_RESULT_SYNTAX, "source" },
    { "plan-behind-restore", "{'op': 'check', 'plan': {'format': 'http', "
      "'handlers': [{'when': {'bytes': 1}, 'do': ['restore', 'alert', "
      "'ignore']}]}}",
      STUBDOMAIN_RESULT_REFUSED, "plan.handlers[0].do[2]: not behind restore" },
    { "plan-late", "{'op': 'wait', 'plan': {'late': [{'action': 'answer'}]}, "
      FLOW "}", STUBDOMAIN_RESULT_REFUSED, "plan.late[0]" },
    { "plan-retries", "{'op': 'wait', 'plan': {'retries': {'times': 0}}, "
      FLOW "}", STUBDOMAIN_RESULT_REFUSED, "plan.retries.times" },
    { "plan-retries-missing", "{'op': 'wait', 'plan': {'retries': {}}, "
      FLOW "}", STUBDOMAIN_RESULT_SYNTAX, "plan.retries.times" },
    { "plan-two-ways", "{'op': 'wait', 'plan': {'bytes': 1, 'handlers': "
      "[{'when': {'bytes': 1}}]}, " FLOW "}",
      STUBDOMAIN_RESULT_REFUSED, "plan.bytes" },
    { "bytes-0", "{'op': 'wait', 'plan': {'bytes': 0}, " FLOW "}",
      STUBDOMAIN_RESULT_REFUSED, "plan.bytes" },
    { "bytes-negative", "{'op': 'wait', 'plan': {'bytes': -5}, " FLOW "}",
      STUBDOMAIN_RESULT_REFUSED, "plan.bytes" },
    { "bytes-9223372036854775808",
      "{'op': 'wait', 'plan': {'bytes': 9223372036854775808}, " FLOW "}",
      STUBDOMAIN_RESULT_REFUSED, "plan.bytes" },
    { "unknown-flow", "{'op': 'wait', " FLOW "}",
      STUBDOMAIN_RESULT_REFUSED, "flow" },
    { "unknown-flow-ipv6",
      "{'op': 'wait', 'flow': {'peer': {'host': 'fe80::1', 'port': 80}}}",
      STUBDOMAIN_RESULT_REFUSED, "flow" },
    { "unknown-stub", "{'op': 'cancel', 'stub': 4294967295}",
      STUBDOMAIN_RESULT_REFUSED, "stub" },
    { "stub-0", "{'op': 'cancel', 'stub': 0}",
      STUBDOMAIN_RESULT_REFUSED, "stub" },
    { "check-bytes-0", "{'op': 'check', 'plan': {'bytes': 0}}",
      STUBDOMAIN_RESULT_REFUSED, "plan.bytes" },
    { "check-regex", "{'op': 'check', 'plan': {'handlers': [{'when':"
      " {'pattern': {'regex': '('}}}]}}",
      STUBDOMAIN_RESULT_REFUSED, "plan.handlers[0]" },
    { "thread-0", "{'op': 'wait', 'thread': 0, " FLOW "}",
      STUBDOMAIN_RESULT_REFUSED, "thread" },
    { "unknown-thread", "{'op': 'wait', 'thread': 7, " FLOW "}",
      STUBDOMAIN_RESULT_REFUSED, "thread: there is no such" },
    { "importance-6", "{'op': 'wait', 'importance': 6, " FLOW "}",
      STUBDOMAIN_RESULT_REFUSED, "importance: must be 0 to 5" },
    { "buffer-alone", "{'op': 'wait', 'buffer': {}, " FLOW "}",
      STUBDOMAIN_RESULT_SYNTAX, "buffer.nonce" },
    { "buffer-nonce-short", BUFFER("00", "4096", "9"),
      STUBDOMAIN_RESULT_REFUSED, "buffer.nonce: must be" },
    { "buffer-nonce-not-hex",
      BUFFER("0123456789abcdef0123456789abcdeg", "4096", "9"),
      STUBDOMAIN_RESULT_REFUSED, "buffer.nonce: must be" },
    { "buffer-no-pages", BUFFER(NONCE, "", "9"), STUBDOMAIN_RESULT_REFUSED,
      "buffer.pages: must be 1 to 64" },
    { "buffer-65-pages",
      BUFFER(NONCE, PAGES16 "," PAGES16 "," PAGES16 "," PAGES16 ",4096", "9"),
      STUBDOMAIN_RESULT_REFUSED, "buffer.pages: must be 1 to 64" },
    { "buffer-64-pages", BUFFER(NONCE, PAGES16 "," PAGES16 "," PAGES16 ","
                                PAGES16, "262112"),
      STUBDOMAIN_RESULT_REFUSED, "flow: " },
    { "buffer-page-odd", BUFFER(NONCE, "4096, 4097", "9"),
      STUBDOMAIN_RESULT_REFUSED, "buffer.pages[1]: must be a multiple" },
    { "buffer-page-nowhere", BUFFER(NONCE, "4096, 70368744177664", "9"),
      STUBDOMAIN_RESULT_REFUSED, "buffer.pages[1]: is not RAM" },
    { "buffer-page-last", BUFFER(NONCE, "18446744073709547520", "9"),
      STUBDOMAIN_RESULT_REFUSED, "buffer.pages[0]: is not RAM" },
    { "buffer-page-device", BUFFER(NONCE, "4276092928", "9"), /* the APIC */
      STUBDOMAIN_RESULT_REFUSED, "buffer.pages[0]: is not RAM" },
    { "buffer-page-rom", BUFFER(NONCE, "4294963200", "9"),
      STUBDOMAIN_RESULT_REFUSED, "buffer.pages[0]: is not RAM" },
    { "buffer-page-negative", BUFFER(NONCE, "-4096", "9"),
      STUBDOMAIN_RESULT_REFUSED, "buffer.pages[0]: is not RAM" },
    { "buffer-empty", BUFFER(NONCE, "4096", "0"), STUBDOMAIN_RESULT_REFUSED,
      "buffer.length: must be" },
    { "buffer-long", BUFFER(NONCE, "4096", "4065"), STUBDOMAIN_RESULT_REFUSED,
      "buffer.length: must be" },
    { "buffer-page-too-many", BUFFER(NONCE, "4096, 8192", "4064"),
      STUBDOMAIN_RESULT_REFUSED, "buffer.length: must be" },
    { "buffer-without-received", "{'op': 'wait', 'buffer': {'nonce': '" NONCE
      "', 'pages': [4096], 'length': 9}, " FLOW "}",
      STUBDOMAIN_RESULT_REFUSED, "buffer: is for the reply" },
    { "class-33-bytes", "{'op': 'wait',"
      " 'class': '012345678901234567890123456789012', " FLOW "}",
      STUBDOMAIN_RESULT_REFUSED, "class: the name is longer" },
    { "name-65-bytes",
      "{'op': 'register', 'name': '0123456789012345678901234567890123456789"
      "0123456789012345678901234'}", STUBDOMAIN_RESULT_REFUSED, "name" },
    { "allow-without-inhibit", "{'op': 'allow'}", STUBDOMAIN_RESULT_REFUSED,
      "op: suspends are not inhibited" },
    { "unknown-leave", "{'op': 'leave', 'thread': 1}",
      STUBDOMAIN_RESULT_REFUSED, "thread: there is no such" },
    { "leave-0", "{'op': 'leave', 'thread': 0}",
      STUBDOMAIN_RESULT_REFUSED, "thread: there is no such" },
    { "detach-udp",
      "{'op': 'detach', 'flow': {'protocol': 'udp',"
      " 'peer': {'host': '10.0.0.1', 'port': 80}}}",
      STUBDOMAIN_RESULT_REFUSED, "flow.protocol" },
    { "detach-any",
      "{'op': 'detach', 'flow': {'peer': {'host': '10.0.0.1'}}}",
      STUBDOMAIN_RESULT_REFUSED, "flow.peer.port" },
    { "detach-unknown", "{'op': 'detach', " FLOW "}",
      STUBDOMAIN_RESULT_REFUSED, "flow" },
};

static void test_bad_requests(void)
{
    Rig rig = { };

    rig_start(&rig, "q35 " RIG_DEVICE);
    for (size_t i = 0; i < ARRAY_SIZE(bad_requests); i++) {
        g_test_message("%s", bad_requests[i].name);
        rig_assert_refused(&rig, bad_requests[i].request,
                           bad_requests[i].result, bad_requests[i].place);
        rig_assert_alive(&rig);
    }
    rig_stop(&rig);
}

static void test_embedded_zero(void)
{
    static const char request[] = "{'op': 'status'\0}";
    g_autofree char *text = NULL;
    Rig rig = { };

    rig_start(&rig, "q35 " RIG_DEVICE);
    g_assert_cmpuint(rig_ring(&rig, request, sizeof(request) - 1), ==,
                     STUBDOMAIN_RESULT_SYNTAX);
    text = rig_response(&rig);
    g_assert_nonnull(strstr(text, "byte 15"));
    /* Neither does one behind the request matter, nor does what follows it. */
    g_assert_cmpuint(rig_ring(&rig, "{'op': 'status'}\0garbage", 16), ==,
                     STUBDOMAIN_RESULT_OK);
    rig_stop(&rig);
}

/* As much nesting as the mailbox holds. */
static void test_deep_nesting(void)
{
    static const char *const openings[] = { "[", "{'a':", "[{'op':" };
    Rig rig = { };

    rig_start(&rig, "q35 " RIG_DEVICE);
    for (size_t i = 0; i < ARRAY_SIZE(openings); i++) {
        g_autoptr(GString) request = g_string_new("{'op': ");

        while (request->len + strlen(openings[i]) <= STUBDOMAIN_REQUEST_MAX) {
            g_string_append(request, openings[i]);
        }
        rig_assert_refused(&rig, request->str, STUBDOMAIN_RESULT_SYNTAX,
                           "JSON");
        rig_assert_alive(&rig);
    }
    rig_stop(&rig);
}

/* An error text that repeats the request, and so would not fit. */
static void test_long_error(void)
{
    static const char *const fill[] = { "x", "\u20ac" };
    Rig rig = { };

    rig_start(&rig, "q35 " RIG_DEVICE);
    for (size_t i = 0; i < ARRAY_SIZE(fill); i++) {
        size_t unit = strlen(fill[i]);
        g_autoptr(GString) request = g_string_new("{'op': '");
        g_autofree char *text = NULL;

        while (request->len + unit + 2 <= STUBDOMAIN_REQUEST_MAX) {
            g_string_append(request, fill[i]);
        }
        g_string_append(request, "'}");
        g_assert_cmpuint(rig_ring(&rig, request->str, request->len), ==,
                         STUBDOMAIN_RESULT_SYNTAX);
        text = rig_response(&rig);
        g_assert_cmpuint(strlen(text), >, STUBDOMAIN_RESPONSE_MAX - unit);
        g_assert_true(g_utf8_validate(text, -1, NULL));
        g_assert_nonnull(strstr(text, "op"));
        rig_assert_alive(&rig);
    }
    rig_stop(&rig);
}

static void test_agent(void)
{
    static const struct {
        const char *request;
        bool agent;
    } steps[] = {
        { "{'op': 'hello'}", true },
        { "{'op': 'hello'}", true },
        { "{'op': 'bye'}", false },
        { "{'op': 'bye'}", false },
        { "{'op': 'ready'}", false },
        { "{\"op\": \"hello\"}", true },
    };
    Rig rig = { };

    rig_start(&rig, "q35 " RIG_DEVICE);
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        QDict *response = rig_ask(&rig, steps[i].request);
        QDict *info = rig_query(&rig);

        g_assert_cmpuint(qdict_size(response), ==, 0);
        g_assert_cmpint(qdict_get_bool(info, "agent"), ==, steps[i].agent);
        qobject_unref(info);
        qobject_unref(response);
    }
    rig_stop(&rig);
}

/* Threads that register and leave, as the host sees them. */
static void test_threads(void)
{
    Rig rig = { };
    QDict *response, *info, *thread;
    QList *threads;

    rig_start(&rig, "q35 " RIG_DEVICE ",max-threads=2");
    for (int i = 1; i <= 2; i++) {
        response = rig_ask(&rig, i == 1 ? "{'op': 'register', 'name': 'main'}"
                                        : "{'op': 'register'}");
        g_assert_cmpint(qdict_get_int(response, "thread"), ==, i);
        g_assert_cmpuint(qdict_size(response), ==, 1);
        qobject_unref(response);
    }
    rig_assert_refused(&rig, "{'op': 'register'}", STUBDOMAIN_RESULT_REFUSED,
                       "too many registered threads");
    info = rig_query(&rig);
    threads = qdict_get_qlist(info, "threads");
    g_assert_cmpuint(qlist_size(threads), ==, 2);
    thread = qobject_to(QDict, qlist_peek(threads));
    g_assert_cmpint(qdict_get_int(thread, "thread"), ==, 1);
    g_assert_cmpstr(qdict_get_str(thread, "name"), ==, "main");
    g_assert_false(qdict_get_bool(thread, "waiting"));
    qobject_unref(info);

    qobject_unref(rig_ask(&rig, "{'op': 'leave', 'thread': 1}"));
    rig_assert_refused(&rig, "{'op': 'leave', 'thread': 1}",
                       STUBDOMAIN_RESULT_REFUSED, "thread");
    response = rig_ask(&rig, "{'op': 'register'}");
    g_assert_cmpint(qdict_get_int(response, "thread"), ==, 3);
    qobject_unref(response);
    qobject_unref(rig_ask(&rig, "{'op': 'bye'}"));
    info = rig_query(&rig);
    g_assert_true(qlist_empty(qdict_get_qlist(info, "threads")));
    qobject_unref(info);
    rig_stop(&rig);
}

/* Each side's inhibits are its own. */
static void test_inhibit(void)
{
    static const char *const sides[] = { "guest-inhibits", "host-inhibits" };
    Rig rig = { };
    QDict *info;

    rig_start(&rig, "q35 " RIG_DEVICE);
    for (int i = 0; i < 3; i++) {
        qobject_unref(rig_ask(&rig, "{'op': 'inhibit'}"));
    }
    qobject_unref(rig_ask(&rig, "{'op': 'allow'}"));
    qtest_qmp_assert_success(rig.qts, "{'execute': 'stubdomain-inhibit'}");
    info = rig_query(&rig);
    for (size_t i = 0; i < ARRAY_SIZE(sides); i++) {
        g_assert_cmpint(qdict_get_int(info, sides[i]), ==, i == 0 ? 2 : 1);
    }
    g_assert_true(qlist_empty(qdict_get_qlist(info, "decisions")));
    qobject_unref(info);

    qtest_qmp_assert_success(rig.qts, "{'execute': 'stubdomain-allow'}");
    qobject_unref(qtest_qmp_assert_failure_ref(rig.qts,
        "{'execute': 'stubdomain-allow'}"));
    qobject_unref(rig_ask(&rig, "{'op': 'hello'}"));
    info = rig_query(&rig);
    for (size_t i = 0; i < ARRAY_SIZE(sides); i++) {
        g_assert_cmpint(qdict_get_int(info, sides[i]), ==, 0);
    }
    qobject_unref(info);
    rig_stop(&rig);
}

static void test_empty_answers(void)
{
    Rig rig = { };
    QDict *response;

    rig_start(&rig, "q35 " RIG_DEVICE);
    response = rig_ask(&rig, "{'op': 'status'}");
    g_assert_true(qlist_empty(qdict_get_qlist(response, "stubs")));
    g_assert_cmpint(qdict_get_int(response, "suspends"), ==, 0);
    g_assert_cmpint(qdict_get_int(response, "restores"), ==, 0);
    g_assert_cmpuint(qdict_size(response), ==, 3);
    qobject_unref(response);

    response = rig_ask(&rig, "{'op': 'results'}");
    g_assert_true(qlist_empty(qdict_get_qlist(response, "ended")));
    g_assert_cmpuint(qdict_size(response), ==, 1);
    qobject_unref(response);
    rig_stop(&rig);
}

void add_mailbox_tests(void)
{
    qtest_add_func("stubdomain/mailbox/length", test_length);
    qtest_add_func("stubdomain/mailbox/bad-requests", test_bad_requests);
    qtest_add_func("stubdomain/mailbox/embedded-zero", test_embedded_zero);
    qtest_add_func("stubdomain/mailbox/deep-nesting", test_deep_nesting);
    qtest_add_func("stubdomain/mailbox/long-error", test_long_error);
    qtest_add_func("stubdomain/mailbox/agent", test_agent);
    qtest_add_func("stubdomain/mailbox/threads", test_threads);
    qtest_add_func("stubdomain/mailbox/inhibit", test_inhibit);
    qtest_add_func("stubdomain/mailbox/empty-answers", test_empty_answers);
}
