#include "shim.h"
#include <stdlib.h>
#include <string.h>
#include "_cgo_export.h"

static void free_user(void* user) { deprovGoFree((uintptr_t)user); }
static deprov_status key(void* user, uint8_t* out) { return deprovGoKey((uintptr_t)user, out); }
static int64_t clock_us(void* user) { return deprovGoClock((uintptr_t)user); }
static void write_log(void* user, int32_t level, deprov_str message) {
  deprovGoLog((uintptr_t)user, level, message);
}
static void record_exchange(void* user, deprov_str exchange) { deprovGoRecord((uintptr_t)user, exchange); }

deprov_go_opened deprov_go_open(const deprov_engine_options* options, deprov_go_hooks hooks) {
  deprov_go_opened out = {DEPROV_OK, NULL, NULL};
  deprov_engine_options o = *options;
  o.struct_size = sizeof o;
  if (hooks.key != 0) {
    o.key = key;
    o.key_user = (void*)hooks.key;
    o.key_user_free = free_user;
  }
  if (hooks.clock != 0) {
    o.clock = clock_us;
    o.clock_user = (void*)hooks.clock;
    o.clock_user_free = free_user;
  }
  if (hooks.log != 0) {
    o.log = write_log;
    o.log_user = (void*)hooks.log;
    o.log_user_free = free_user;
  }
  if (hooks.record != 0) {
    o.plugin_record = record_exchange;
    o.plugin_record_user = (void*)hooks.record;
    o.plugin_record_user_free = free_user;
  }
  out.status = deprov_engine_open(&o, &out.engine, &out.error);
  return out;
}

static deprov_status open_connection(void* user, deprov_str config, void** instance, deprov_error** error) {
  uintptr_t made = 0;
  const deprov_status status = deprovGoOpen((uintptr_t)user, config, &made, error);
  *instance = (void*)made;
  return status;
}
static void close_connection(void* user, void* instance) {
  (void)user;
  deprovGoClose((uintptr_t)instance);
}
static void start_call(void* user, void* instance, deprov_call* call) {
  (void)user;
  deprovGoStart((uintptr_t)instance, call);
}
static void cancel_call(void* user, void* instance, deprov_call* call) {
  (void)user;
  deprovGoCancel((uintptr_t)instance, call);
}

deprov_go_made deprov_go_connector(deprov_str description, uintptr_t user) {
  deprov_go_made out = {DEPROV_OK, NULL, NULL};
  deprov_connector_callbacks c;
  memset(&c, 0, sizeof c);
  c.struct_size = sizeof c;
  c.user = (void*)user;
  c.user_free = free_user;
  c.open = open_connection;
  c.close = close_connection;
  c.start = start_call;
  c.cancel = cancel_call;
  out.status = deprov_connector_new(description, &c, &out.connector, &out.error);
  return out;
}

/* A request of texts one after the other. `headers` has room for all that it may have. */
static void fill(deprov_request* request, deprov_header* headers, int32_t as, const char* text,
                 const uint32_t* lengths, size_t header_count, const char* body, size_t body_length) {
  size_t i;
  memset(request, 0, sizeof *request);
  request->struct_size = sizeof *request;
  request->as = as;
#define TAKE(into)                            \
  do {                                        \
    (into).ptr = text, (into).len = *lengths; \
    text += *lengths++;                       \
  } while (0)
  TAKE(request->method);
  TAKE(request->target);
  TAKE(request->peer);
  TAKE(request->workspace);
  TAKE(request->subject);
  for (i = 0; i < header_count && i < DEPROV_GO_MAX_HEADERS; ++i) {
    TAKE(headers[i].name);
    TAKE(headers[i].value);
  }
#undef TAKE
  request->headers = headers;
  request->header_count = i;
  request->body.ptr = body;
  request->body.len = body_length;
}

deprov_go_sent deprov_go_send(deprov_engine* engine, int32_t as, const char* text, const uint32_t* lengths,
                              size_t header_count, const char* body, size_t body_length, uint64_t user) {
  deprov_go_sent out = {DEPROV_OK, 0, NULL};
  deprov_header headers[DEPROV_GO_MAX_HEADERS];
  deprov_request request;
  fill(&request, headers, as, text, lengths, header_count, body, body_length);
  out.status = deprov_engine_send(engine, &request, (void*)(uintptr_t)user, &out.token, &out.error);
  return out;
}

static void copy(const deprov_event* events, deprov_go_events* out) {
  size_t i;
  for (i = 0; i < out->taken; ++i) {
    out->events[i].kind = events[i].kind;
    out->events[i].status = events[i].status;
    out->events[i].user = (uint64_t)(uintptr_t)events[i].user;
    out->events[i].response = events[i].response;
  }
}

static deprov_status next(deprov_engine* engine, int64_t timeout_ms, deprov_go_events* out) {
  deprov_event events[DEPROV_GO_BATCH];
  const deprov_status status = deprov_engine_next(engine, events, DEPROV_GO_BATCH, timeout_ms, &out->taken, NULL);
  copy(events, out);
  return status;
}

deprov_status deprov_go_next(deprov_engine* engine, deprov_go_events* out) { return next(engine, 0, out); }

static void find_own(uint64_t user, deprov_go_asked* out) {
  size_t i;
  out->own = -1;
  for (i = 0; i < out->ended.taken; ++i) {
    if (out->ended.events[i].user != user) continue;
    out->own = (int32_t)i;
    if (out->ended.events[i].response != NULL) deprov_go_answer_get(out->ended.events[i].response, &out->answer);
  }
}

void deprov_go_lead(deprov_engine* engine, uint64_t user, deprov_go_asked* out) {
  next(engine, 1, &out->ended); /* nothing in time, or closed: nothing was taken */
  find_own(user, out);
}

void deprov_go_ask(deprov_engine* engine, int32_t as, const char* text, const uint32_t* lengths,
                   size_t header_count, const char* body, size_t body_length, uint64_t user, int64_t timeout_ms,
                   deprov_go_asked* out) {
  deprov_event events[DEPROV_GO_BATCH];
  deprov_header headers[DEPROV_GO_MAX_HEADERS];
  deprov_request request;
  fill(&request, headers, as, text, lengths, header_count, body, body_length);
  out->sent.error = NULL;
  out->sent.status = deprov_engine_ask(engine, &request, (void*)(uintptr_t)user, &out->sent.token, events,
                                       DEPROV_GO_BATCH, timeout_ms, &out->ended.taken, &out->sent.error);
  copy(events, &out->ended);
  find_own(user, out);
}

void deprov_go_answer_get(const deprov_response* response, deprov_go_answer* out) {
  size_t i;
  out->status = deprov_response_get_status(response);
  out->streaming = deprov_response_is_streaming(response);
  out->header_count = deprov_response_get_header_count(response);
  for (i = 0; i < out->header_count && i < DEPROV_GO_HEADERS; ++i)
    out->headers[i] = deprov_response_get_header(response, i);
  out->body = deprov_response_get_body(response);
}

deprov_go_text deprov_go_piece(deprov_response* response) {
  deprov_go_text out = {DEPROV_OK, {NULL, 0}, NULL};
  out.status = deprov_response_read(response, 0, &out.text, &out.error);
  return out;
}

deprov_status deprov_go_want(deprov_response* response, uint64_t user, deprov_error** error) {
  return deprov_response_want(response, (void*)(uintptr_t)user, error);
}

deprov_go_text deprov_go_row(deprov_rows* rows) {
  deprov_go_text out = {DEPROV_OK, {NULL, 0}, NULL};
  out.status = deprov_rows_next(rows, &out.text, &out.error);
  return out;
}

deprov_go_sent deprov_go_want_row(deprov_rows* rows, uint64_t user) {
  deprov_go_sent out = {DEPROV_OK, 0, NULL};
  out.status = deprov_rows_want(rows, (void*)(uintptr_t)user, &out.token, &out.error);
  return out;
}

void deprov_go_call_get(const deprov_call* call, deprov_go_call* out) {
  out->operation = deprov_call_get_operation(call);
  out->delete_account = deprov_call_get_delete_account(call);
  out->page_size = deprov_call_get_page_size(call);
  out->timeout_ms = deprov_call_get_timeout_ms(call);
  out->email_count = deprov_call_get_email_count(call);
  out->account = deprov_call_get_account(call);
  out->external_id = deprov_call_get_external_id(call);
  out->user_name = deprov_call_get_user_name(call);
  out->entitlement = deprov_call_get_entitlement(call);
  out->cursor = deprov_call_get_cursor(call);
  out->handle = deprov_call_get_handle(call);
  out->idempotency_key = deprov_call_get_idempotency_key(call);
}

static void found(void* user, deprov_status status, deprov_str value) {
  deprovGoTold((uintptr_t)user, status, value);
}
static void kept(void* user, deprov_status status) {
  const deprov_str none = {NULL, 0};
  deprovGoTold((uintptr_t)user, status, none);
}

deprov_status deprov_go_checkpoint(deprov_call* call, deprov_str name, deprov_str value, int32_t sets,
                                   uintptr_t user, deprov_error** error) {
  return sets != 0 ? deprov_call_checkpoint_set(call, name, value, (void*)user, kept, error)
                   : deprov_call_checkpoint_get(call, name, (void*)user, found, error);
}

static deprov_go_sent send_step(deprov_list* list, deprov_list_step* step, int32_t kind, uint64_t user) {
  deprov_go_sent out = {DEPROV_OK, 0, NULL};
  step->struct_size = sizeof *step;
  step->kind = kind;
  out.status = deprov_list_send(list, step, (void*)(uintptr_t)user, &out.token, &out.error);
  return out;
}

deprov_go_sent deprov_go_list_add(deprov_list* list, const char* text, const uint32_t* lengths,
                                  const uint8_t* inactive, size_t count, uint64_t user) {
  deprov_go_sent out = {DEPROV_ERR_NO_MEMORY, 0, NULL};
  deprov_list_step step;
  size_t i;
  deprov_list_user* const users = calloc(count == 0 ? 1 : count, sizeof *users);
  if (users == NULL) return out;
  for (i = 0; i < 4 * count; ++i) {
    deprov_list_user* const u = &users[i / 4];
    deprov_str* const part = i % 4 == 0   ? &u->id
                             : i % 4 == 1 ? &u->external_id
                             : i % 4 == 2 ? &u->user_name
                                          : &u->email;
    part->ptr = text;
    part->len = lengths[i];
    text += lengths[i];
    u->inactive = inactive[i / 4];
  }
  memset(&step, 0, sizeof step);
  step.users = users;
  step.user_count = count;
  out = send_step(list, &step, DEPROV_LIST_ADD, user);
  free(users);
  return out;
}

deprov_go_sent deprov_go_list_end(deprov_list* list, int32_t has_count, uint64_t count, uint64_t user) {
  deprov_list_step step;
  memset(&step, 0, sizeof step);
  step.has_count = has_count;
  step.count = count;
  return send_step(list, &step, DEPROV_LIST_END, user);
}

deprov_go_sent deprov_go_list_give_up(deprov_list* list, deprov_str failure, uint64_t user) {
  deprov_list_step step;
  memset(&step, 0, sizeof step);
  step.failure = failure;
  return send_step(list, &step, DEPROV_LIST_GIVE_UP, user);
}

deprov_go_done deprov_go_verify(deprov_verifier* verifier, const char* bytes, size_t length) {
  deprov_go_done out = {DEPROV_OK, NULL};
  const deprov_str piece = {bytes, length};
  out.status = deprov_verifier_feed(verifier, piece, &out.error);
  return out;
}
