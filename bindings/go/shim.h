/* What cgo cannot say or what would cost a crossing for each piece: structs with pointers in them, function
   pointers, numbers that travel as void*. */
#ifndef DEPROV_GO_SHIM_H
#define DEPROV_GO_SHIM_H

#include <deprov.h>

/* Handles of runtime/cgo, 0 where there is no such callback. */
typedef struct deprov_go_hooks {
  uintptr_t key, clock, log, record;
} deprov_go_hooks;

typedef struct deprov_go_opened {
  deprov_status status;
  deprov_engine* engine;
  deprov_error* error;
} deprov_go_opened;

/* `connectors` are taken along as they are; the hooks are filled in. */
deprov_go_opened deprov_go_open(const deprov_engine_options* options, deprov_go_hooks hooks);

typedef struct deprov_go_made {
  deprov_status status;
  deprov_connector* connector;
  deprov_error* error;
} deprov_go_made;

deprov_go_made deprov_go_connector(deprov_str description, uintptr_t user);

/* `text` holds method, target, peer, workspace and subject, then name and value of each header, one after the
   other; `lengths` says how long each of them is. */
#define DEPROV_GO_MAX_HEADERS 256
typedef struct deprov_go_sent {
  deprov_status status;
  uint64_t token;
  deprov_error* error;
} deprov_go_sent;
deprov_go_sent deprov_go_send(deprov_engine* engine, int32_t as, const char* text, const uint32_t* lengths,
                              size_t header_count, const char* body, size_t body_length, uint64_t user);

#define DEPROV_GO_BATCH 64
typedef struct deprov_go_event {
  int32_t kind;
  deprov_status status;
  uint64_t user;
  deprov_response* response;
} deprov_go_event;
typedef struct deprov_go_events {
  size_t taken;
  deprov_go_event events[DEPROV_GO_BATCH];
} deprov_go_events;
/* Without waiting. */
deprov_status deprov_go_next(deprov_engine* engine, deprov_go_events* out);

/* A whole answer in one crossing; headers beyond the first ones are asked for one by one. */
#define DEPROV_GO_HEADERS 24
typedef struct deprov_go_answer {
  int32_t status;
  int32_t streaming;
  size_t header_count;
  deprov_header headers[DEPROV_GO_HEADERS];
  deprov_str body;
} deprov_go_answer;
void deprov_go_answer_get(const deprov_response* response, deprov_go_answer* out);

/* What has ended meanwhile, and the answer to the request of `user`, where `own` says which of them it is. */
typedef struct deprov_go_asked {
  deprov_go_sent sent;
  int32_t own; /* -1: none of them */
  deprov_go_events ended;
  deprov_go_answer answer;
} deprov_go_asked;
/* As deprov_engine_ask(): most of the time one crossing for the whole request. */
void deprov_go_ask(deprov_engine* engine, int32_t as, const char* text, const uint32_t* lengths,
                   size_t header_count, const char* body, size_t body_length, uint64_t user, int64_t timeout_ms,
                   deprov_go_asked* out);
/* Waits up to a millisecond for what ends. */
void deprov_go_lead(deprov_engine* engine, uint64_t user, deprov_go_asked* out);

typedef struct deprov_go_text {
  deprov_status status;
  deprov_str text;
  deprov_error* error;
} deprov_go_text;
/* The piece that is there; DEPROV_ERR_TIMEOUT where there is none yet. */
deprov_go_text deprov_go_piece(deprov_response* response);
deprov_status deprov_go_want(deprov_response* response, uint64_t user, deprov_error** error);
deprov_go_text deprov_go_row(deprov_rows* rows);
deprov_go_sent deprov_go_want_row(deprov_rows* rows, uint64_t user);

typedef struct deprov_go_call {
  int32_t operation;
  int32_t delete_account;
  uint32_t page_size;
  int64_t timeout_ms;
  size_t email_count;
  deprov_str account, external_id, user_name, entitlement, cursor, handle, idempotency_key;
} deprov_go_call;
void deprov_go_call_get(const deprov_call* call, deprov_go_call* out);

/* Sets where `sets` is not 0, and gets otherwise; `user` is told by deprovGoTold. */
deprov_status deprov_go_checkpoint(deprov_call* call, deprov_str name, deprov_str value, int32_t sets,
                                   uintptr_t user, deprov_error** error);

/* `text` holds id, external id, user name and e-mail of each user, one after the other; `lengths` says how long
   each of them is. */
deprov_go_sent deprov_go_list_add(deprov_list* list, const char* text, const uint32_t* lengths,
                                  const uint8_t* inactive, size_t count, uint64_t user);
deprov_go_sent deprov_go_list_end(deprov_list* list, int32_t has_count, uint64_t count, uint64_t user);
deprov_go_sent deprov_go_list_give_up(deprov_list* list, deprov_str failure, uint64_t user);

typedef struct deprov_go_done {
  deprov_status status;
  deprov_error* error;
} deprov_go_done;
deprov_go_done deprov_go_verify(deprov_verifier* verifier, const char* bytes, size_t length);

#endif
