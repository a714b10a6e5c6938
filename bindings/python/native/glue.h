/* One crossing from Python for what the C interface says in several calls: this is the hot path. */

/* `head` is method, target, peer, workspace, subject, then name and value of each header, each with a zero behind
   it. `wait`: the answer goes to `response`; otherwise the request is begun, with `user` and `token`. */
static deprov_status deprovpy_request(deprov_engine* engine, int32_t wait, uint64_t user, int32_t as,
                                      const char* head, size_t head_len, size_t header_count, const char* body,
                                      size_t body_len, uint64_t* token, deprov_response** response,
                                      deprov_error** error);
/* What ended, with what is wanted of every answer. */
typedef struct {
  uint64_t user;
  int32_t kind;
  int32_t status;
  int32_t http;
  int32_t streaming;
  deprov_response* response;
  deprov_str body;
} deprovpy_event;

/* As deprov_engine_next(), at most 64. Without an error where the time ran out. */
static deprov_status deprovpy_next(deprov_engine* engine, deprovpy_event* events, int64_t timeout_ms,
                                   size_t* taken, deprov_error** error);
/* Begins a request and takes what ended, which is its answer most of the time. Where `token` is not 0, it was
 * begun. */
static deprov_status deprovpy_ask(deprov_engine* engine, uint64_t user, int32_t as, const char* head,
                                  size_t head_len, size_t header_count, const char* body, size_t body_len,
                                  uint64_t* token, deprovpy_event* events, int64_t timeout_ms, size_t* taken,
                                  deprov_error** error);
/* As deprov_list_send() of DEPROV_LIST_ADD. `text` is id, external id, user name and e-mail of each user, each
   with a zero behind it. */
static deprov_status deprovpy_list_add(deprov_list* list, uint64_t user, const char* text, size_t text_len,
                                       const char* inactive, size_t count, uint64_t* token, deprov_error** error);

/* --- bodies --- */

static deprov_status deprovpy_refuse(deprov_error** error, deprov_status status, const char* detail,
                                     const char* at) {
  const deprov_str what = {detail, strlen(detail)};
  const deprov_str where = {at, strlen(at)};
  const deprov_str none = {NULL, 0};
  if (error != NULL) *error = deprov_error_new(status, what, where, none);
  return status;
}

static deprov_status deprovpy_request(deprov_engine* engine, int32_t wait, uint64_t user, int32_t as,
                                      const char* head, size_t head_len, size_t header_count, const char* body,
                                      size_t body_len, uint64_t* token, deprov_response** response,
                                      deprov_error** error) {
  enum { most = 256 };
  enum { fixed = 5 };
  deprov_str parts[fixed];
  deprov_header headers[most];
  deprov_request request;
  const char* at = head;
  const char* const end = head + head_len;
  const size_t count = fixed + 2 * header_count;
  size_t i;
  if (response != NULL) *response = NULL;
  if (error != NULL) *error = NULL;
  if (header_count > most)
    return deprovpy_refuse(error, DEPROV_ERR_LIMIT_EXCEEDED, "more than 256 headers", "request.headers");
  for (i = 0; i < count; ++i) {
    const char* const zero = at < end ? memchr(at, 0, (size_t)(end - at)) : NULL;
    deprov_str* const part = i < fixed              ? &parts[i]
                             : (i - fixed) % 2 == 0 ? &headers[(i - fixed) / 2].name
                                                    : &headers[(i - fixed) / 2].value;
    if (zero == NULL) break;
    part->ptr = at;
    part->len = (size_t)(zero - at);
    at = zero + 1;
  }
  if (i != count || at != end)
    return deprovpy_refuse(error, DEPROV_ERR_INVALID_ARGUMENT, "a zero byte in a text", "request.headers");
  memset(&request, 0, sizeof request);
  request.struct_size = sizeof request;
  request.as = as;
  request.method = parts[0];
  request.target = parts[1];
  request.peer = parts[2];
  request.workspace = parts[3];
  request.subject = parts[4];
  request.headers = headers;
  request.header_count = header_count;
  request.body.ptr = body;
  request.body.len = body_len;
  if (wait != 0) return deprov_engine_call(engine, &request, response, error);
  return deprov_engine_send(engine, &request, (void*)(uintptr_t)user, token, error);
}

static deprov_status deprovpy_next(deprov_engine* engine, deprovpy_event* events, int64_t timeout_ms,
                                   size_t* taken, deprov_error** error) {
  deprov_event list[64];
  size_t i;
  const deprov_status status = deprov_engine_next(engine, list, 64, timeout_ms, taken, error);
  if (status == DEPROV_ERR_TIMEOUT) {
    deprov_error_free(*error);
    *error = NULL;
  }
  for (i = 0; i < *taken; ++i) {
    events[i].user = (uint64_t)(uintptr_t)list[i].user;
    events[i].kind = list[i].kind;
    events[i].status = list[i].status;
    events[i].http = deprov_response_get_status(list[i].response);
    events[i].streaming = list[i].response == NULL ? 0 : deprov_response_is_streaming(list[i].response);
    events[i].response = list[i].response;
    events[i].body = deprov_response_get_body(list[i].response);
  }
  return status;
}

static deprov_status deprovpy_ask(deprov_engine* engine, uint64_t user, int32_t as, const char* head,
                                  size_t head_len, size_t header_count, const char* body, size_t body_len,
                                  uint64_t* token, deprovpy_event* events, int64_t timeout_ms, size_t* taken,
                                  deprov_error** error) {
  deprov_status status;
  *token = 0;
  *taken = 0;
  status = deprovpy_request(engine, 0, user, as, head, head_len, header_count, body, body_len, token, NULL, error);
  if (status != DEPROV_OK) return status;
  return deprovpy_next(engine, events, timeout_ms, taken, error);
}

static deprov_status deprovpy_list_add(deprov_list* list, uint64_t user, const char* text, size_t text_len,
                                       const char* inactive, size_t count, uint64_t* token, deprov_error** error) {
  deprov_list_step step;
  deprov_list_user* const users = calloc(count == 0 ? 1 : count, sizeof *users);
  const char* at = text;
  const char* const end = text + text_len;
  deprov_status status;
  size_t i;
  *token = 0;
  *error = NULL;
  if (users == NULL) return DEPROV_ERR_NO_MEMORY;
  for (i = 0; i < 4 * count; ++i) {
    const char* const zero = at < end ? memchr(at, 0, (size_t)(end - at)) : NULL;
    deprov_list_user* const u = &users[i / 4];
    deprov_str* const part = i % 4 == 0   ? &u->id
                             : i % 4 == 1 ? &u->external_id
                             : i % 4 == 2 ? &u->user_name
                                          : &u->email;
    if (zero == NULL) break;
    part->ptr = at;
    part->len = (size_t)(zero - at);
    u->inactive = inactive[i / 4];
    at = zero + 1;
  }
  if (i != 4 * count || at != end) {
    free(users);
    return deprovpy_refuse(error, DEPROV_ERR_INVALID_ARGUMENT, "a zero byte in a text", "users");
  }
  memset(&step, 0, sizeof step);
  step.struct_size = sizeof step;
  step.kind = DEPROV_LIST_ADD;
  step.users = users;
  step.user_count = count;
  status = deprov_list_send(list, &step, (void*)(uintptr_t)user, token, error);
  free(users);
  return status;
}
