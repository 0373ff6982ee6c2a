/*
 * stubdomain-pci: the guest's requests in the mailbox.
 *
 * The guest is untrusted and may change the mailbox while we read it: a
 * request is copied first, bounded, and goes through the QAPI visitor.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-events-stubdomain.h"
#include "qapi/qapi-visit-stubdomain.h"
#include "qapi/qobject-input-visitor.h"
#include "qapi/qobject-output-visitor.h"
#include "qobject/qdict.h"
#include "qobject/qjson.h"
#include "qobject/qstring.h"
#include "hw/stubdomain/stubdomain.h"
#include "trace.h"

/* Open waits that "status" shows at most, so that the response fits. */
#define STATUS_STUBS_MAX 64
/* Ended waits in one response; INT_ENDED says that more are left. */
#define RESULTS_MAX 256

/*
 * Why QEMU's visitor has refused a request. Of an element of a list of actions
 * it does not say which one it is; the core does.
 */
static Error *with_place(QObject *request, Error *refused)
{
    QDict *dict = qobject_to(QDict, request);
    QDict *plan = dict ? qobject_to(QDict, qdict_get(dict, "plan")) : NULL;
    StubdomainPlan *read = NULL;
    g_autoptr(GString) json = NULL;
    char problem[1024];
    sd_plan *compiled;
    Visitor *visitor;

    if (!plan) {
        return refused;
    }
    visitor = qobject_input_visitor_new(QOBJECT(plan));
    visit_type_StubdomainPlan(visitor, NULL, &read, NULL);
    visit_free(visitor);
    if (read) {
        qapi_free_StubdomainPlan(read);
        return refused; /* by something else */
    }
    json = qobject_to_json(QOBJECT(plan));
    compiled = sd_plan_new(json->str, json->len, true, problem,
                           sizeof(problem));
    if (compiled) {
        sd_plan_free(compiled);
        return refused;
    }
    error_free(refused);
    refused = NULL;
    error_setg(&refused, "%s", problem);
    return refused;
}

static StubdomainGuestRequest *parse_request(const char *text, Error **errp)
{
    QObject *object = qobject_from_json(text, errp);
    StubdomainGuestRequest *request = NULL;
    Error *refused = NULL;
    Visitor *visitor;

    if (!object) {
        return NULL;
    }
    visitor = qobject_input_visitor_new(object);
    visit_type_StubdomainGuestRequest(visitor, NULL, &request, &refused);
    visit_free(visitor);
    if (refused) {
        error_propagate(errp, with_place(object, refused));
    }
    qobject_unref(object);
    return request;
}

static GString *response_to_json(StubdomainGuestResponse *response)
{
    QObject *output = NULL;
    Visitor *visitor = qobject_output_visitor_new(&output);
    GString *json;

    visit_type_StubdomainGuestResponse(visitor, NULL, &response, &error_abort);
    visit_complete(visitor, &output);
    visit_free(visitor);
    json = qobject_to_json(output);
    qobject_unref(output);
    return json;
}

static void collect_ended(StubdomainPCI *dev, StubdomainGuestResponse *response)
{
    StubdomainEndedList **tail = &response->ended;
    uint32_t count = MIN(dev->ended_count, RESULTS_MAX);

    response->has_ended = true;
    for (uint32_t i = 0; i < count; i++) {
        StubdomainEnded *ended = g_new0(StubdomainEnded, 1);

        ended->stub = dev->ended[i].stub;
        ended->outcome = (StubdomainOutcome)dev->ended[i].outcome;
        ended->bytes = dev->ended[i].bytes;
        if (dev->ended[i].claim.handler[0]) {
            ended->claim = g_new(StubdomainPlanClaim, 1);
            *ended->claim = (StubdomainPlanClaim) {
                .handler = g_strdup(dev->ended[i].claim.handler),
                .message = dev->ended[i].claim.message,
                .offset = dev->ended[i].claim.offset,
            };
        }
        QAPI_LIST_APPEND(tail, ended);
    }
    dev->ended_count -= count;
    memmove(&dev->ended[0], &dev->ended[count],
            dev->ended_count * sizeof(dev->ended[0]));
    if (dev->ended_count) {
        stubdomain_interrupt(dev, STUBDOMAIN_INT_ENDED);
    }
}

/* RESULT for what the core said; @place is what of the request it is about. */
static uint32_t result_of(enum sd_refusal refusal, const char *place,
                          Error **errp)
{
    if (refusal == SD_OK) {
        return STUBDOMAIN_RESULT_OK;
    }
    error_setg(errp, "%s%s", place, sd_refusal_text(refusal));
    return refusal == SD_REFUSED_FLOW_BUSY ? STUBDOMAIN_RESULT_BUSY
                                           : STUBDOMAIN_RESULT_REFUSED;
}

static uint32_t lay_stub(StubdomainPCI *dev, const StubdomainWait *wait,
                         StubdomainGuestResponse *response, Error **errp)
{
    struct sd_wait converted;
    enum sd_refusal refusal;

    if (!stubdomain_wait_from_qapi(dev, wait, SD_OWNER_GUEST, &converted,
                                   errp)) {
        return STUBDOMAIN_RESULT_REFUSED;
    }
    stubdomain_read_pressure(dev);
    refusal = sd_wait_for(dev->core, &converted, stubdomain_now(),
                          &response->stub);
    stubdomain_wait_clear(&converted);
    if (refusal != SD_OK) {
        return result_of(refusal,
                         refusal == SD_REFUSED_TOO_MANY_STUBS ||
                         refusal == SD_REFUSED_PLANS_TOO_LARGE ||
                         refusal == SD_REFUSED_PLAN_FORMAT ||
                         refusal == SD_REFUSED_PLAN_ANSWER ||
                         refusal == SD_REFUSED_PLAN_AFTER ||
                         refusal == SD_REFUSED_PLAN_RETRIES ? "" :
                         refusal == SD_REFUSED_UNKNOWN_THREAD ? "thread: " :
                         refusal == SD_REFUSED_CLASS_NAME ? "class: " :
                         refusal == SD_REFUSED_BUFFER ? "buffer: " :
                         refusal == SD_REFUSED_APPLICATION_NAME ?
                         "application: " :
                         "flow: ", errp);
    }
    response->has_stub = true;
    dev->last_stub = response->stub;
    return STUBDOMAIN_RESULT_OK;
}

static uint32_t register_thread(StubdomainPCI *dev,
                                const StubdomainRegistration *registration,
                                StubdomainGuestResponse *response, Error **errp)
{
    enum sd_refusal refusal = sd_register_thread(dev->core,
                                                 registration->name ?: "",
                                                 stubdomain_now(),
                                                 &response->thread);

    response->has_thread = refusal == SD_OK;
    return result_of(refusal, refusal == SD_REFUSED_THREAD_NAME ? "name: " : "",
                     errp);
}

/* A connection that loses its socket, or gets one. */
static uint32_t change_socket(StubdomainPCI *dev,
                              const StubdomainGuestRequest *request,
                              const StubdomainFlow *named,
                              StubdomainGuestResponse *response, Error **errp)
{
    struct sd_flow_id flow;
    struct sd_flow_parameters parameters;
    enum sd_refusal refusal;

    if (!stubdomain_flow_from_qapi(named, &flow, errp)) {
        return STUBDOMAIN_RESULT_REFUSED;
    }
    switch (request->op) {
    case STUBDOMAIN_GUEST_OP_DETACH:
        refusal = sd_detach(dev->core, &flow, stubdomain_now());
        break;
    case STUBDOMAIN_GUEST_OP_PARAMETERS:
        refusal = sd_get_flow_parameters(dev->core, &flow, &parameters);
        if (refusal == SD_OK) {
            response->parameters = stubdomain_parameters_to_qapi(&parameters);
        }
        break;
    case STUBDOMAIN_GUEST_OP_REATTACH:
        refusal = sd_reattach(dev->core, &flow, stubdomain_now());
        break;
    case STUBDOMAIN_GUEST_OP_CONNECT:
        refusal = sd_connect_guest(dev->core, &flow,
                                   request->u.connect.guest_port,
                                   stubdomain_now());
        break;
    default:
        g_assert_not_reached();
    }
    return result_of(refusal, refusal == SD_REFUSED_PORT_IN_USE
                              ? "guest-port: " : "flow: ", errp);
}

/* Returns RESULT; for all but OK, @errp is set. */
static uint32_t execute(StubdomainPCI *dev,
                        const StubdomainGuestRequest *request,
                        StubdomainGuestResponse *response, Error **errp)
{
    switch (request->op) {
    case STUBDOMAIN_GUEST_OP_HELLO:
    case STUBDOMAIN_GUEST_OP_BYE:
        sd_agent(dev->core, request->op == STUBDOMAIN_GUEST_OP_HELLO,
                 request->op == STUBDOMAIN_GUEST_OP_HELLO &&
                 request->u.hello.prepare);
        return STUBDOMAIN_RESULT_OK;
    case STUBDOMAIN_GUEST_OP_PREPARED:
        sd_prepared(dev->core, stubdomain_now());
        return STUBDOMAIN_RESULT_OK;
    case STUBDOMAIN_GUEST_OP_CHECK:
        return stubdomain_check_plan(dev, request->u.check.plan, errp)
               ? STUBDOMAIN_RESULT_OK : STUBDOMAIN_RESULT_REFUSED;
    case STUBDOMAIN_GUEST_OP_HISTORY:
        response->has_decisions = true;
        response->decisions = stubdomain_decisions_to_qapi(dev, true);
        return STUBDOMAIN_RESULT_OK;
    case STUBDOMAIN_GUEST_OP_READY:
        sd_ready(dev->core, stubdomain_now());
        return STUBDOMAIN_RESULT_OK;
    case STUBDOMAIN_GUEST_OP_WAIT:
        return lay_stub(dev, &request->u.wait, response, errp);
    case STUBDOMAIN_GUEST_OP_CANCEL:
        return result_of(sd_cancel(dev->core, SD_OWNER_GUEST,
                                   request->u.cancel.stub, stubdomain_now()),
                         "stub: ", errp);
    case STUBDOMAIN_GUEST_OP_DETACH:
    case STUBDOMAIN_GUEST_OP_PARAMETERS:
    case STUBDOMAIN_GUEST_OP_REATTACH:
        return change_socket(dev, request, request->u.detach.flow, response,
                             errp);
    case STUBDOMAIN_GUEST_OP_CONNECT:
        return change_socket(dev, request, request->u.connect.flow, response,
                             errp);
    case STUBDOMAIN_GUEST_OP_REGISTER:
        return register_thread(dev, &request->u.q_register, response, errp);
    case STUBDOMAIN_GUEST_OP_LEAVE:
        return result_of(sd_leave_thread(dev->core, request->u.leave.thread,
                                         stubdomain_now()), "thread: ", errp);
    case STUBDOMAIN_GUEST_OP_INHIBIT:
        return result_of(sd_inhibit(dev->core, SD_OWNER_GUEST,
                                    stubdomain_now()), "op: ", errp);
    case STUBDOMAIN_GUEST_OP_ALLOW:
        return result_of(sd_allow(dev->core, SD_OWNER_GUEST, stubdomain_now()),
                         "op: ", errp);
    case STUBDOMAIN_GUEST_OP_RESULTS:
        collect_ended(dev, response);
        return STUBDOMAIN_RESULT_OK;
    case STUBDOMAIN_GUEST_OP_STATUS:
        response->has_stubs = true;
        response->stubs = stubdomain_stubs_to_qapi(dev, STATUS_STUBS_MAX);
        response->has_suspends = response->has_restores = true;
        response->suspends = dev->figures.suspends;
        response->restores = dev->figures.restores;
        return STUBDOMAIN_RESULT_OK;
    default:
        g_assert_not_reached();
    }
}

static void respond(StubdomainPCI *dev, uint32_t result, const char *text,
                    size_t length)
{
    uint8_t *mailbox = memory_region_get_ram_ptr(&dev->mailbox);

    g_assert(length <= STUBDOMAIN_RESPONSE_MAX);
    memcpy(mailbox + STUBDOMAIN_RESPONSE_OFFSET, text, length);
    memory_region_set_dirty(&dev->mailbox, STUBDOMAIN_RESPONSE_OFFSET, length);
    dev->result = result;
    dev->response_length = length;
    trace_stubdomain_request(dev->request_length, result);
}

static void refuse(StubdomainPCI *dev, uint32_t result, Error *error)
{
    /* It may repeat what the guest wrote. */
    g_autofree char *text = g_utf8_make_valid(error_get_pretty(error), -1);
    size_t length = strlen(text);

    if (length > STUBDOMAIN_RESPONSE_MAX) {
        length = g_utf8_find_prev_char(text, text + STUBDOMAIN_RESPONSE_MAX + 1)
                 - text;
    }
    trace_stubdomain_request_refused(text);
    respond(dev, result, text, length);
    error_free(error);
}

void stubdomain_handle_request(StubdomainPCI *dev)
{
    uint32_t length = dev->request_length;
    g_autofree char *text = NULL;
    g_autoptr(StubdomainGuestRequest) request = NULL;
    g_autoptr(StubdomainGuestResponse) response = NULL;
    g_autoptr(GString) json = NULL;
    Error *error = NULL;
    uint32_t result;

    if (length == 0 || length > STUBDOMAIN_REQUEST_MAX) {
        error_setg(&error, "REQUEST_LENGTH is %u; it must be 1 to %u", length,
                   STUBDOMAIN_REQUEST_MAX);
        refuse(dev, STUBDOMAIN_RESULT_LENGTH, error);
        return;
    }
    text = g_strndup(memory_region_get_ram_ptr(&dev->mailbox), length);
    if (strlen(text) != length) {
        error_setg(&error, "byte %zu of the request is zero", strlen(text));
        refuse(dev, STUBDOMAIN_RESULT_SYNTAX, error);
        return;
    }
    request = parse_request(text, &error);
    if (!request) {
        refuse(dev, STUBDOMAIN_RESULT_SYNTAX, error);
        return;
    }
    response = g_new0(StubdomainGuestResponse, 1);
    result = execute(dev, request, response, &error);
    if (result != STUBDOMAIN_RESULT_OK) {
        refuse(dev, result, error);
        return;
    }
    json = response_to_json(response);
    respond(dev, STUBDOMAIN_RESULT_OK, json->str, json->len);
    stubdomain_kick(dev);
}
