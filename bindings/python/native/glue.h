/* One crossing from Python for what the C interface says in several calls: this is the hot path. */

/* What ended. Of a whole answer everything lies in the text of the room, from `at` on: name and value of each
   header, each with a zero behind it, `head` bytes of that, then the body, `whole` bytes of both; then `response`
   is NULL, and `http` is not 0. What has no room there, and bodies that come in pieces, are in `response`. */
typedef struct {
  uint64_t user;
  int32_t kind;
  int32_t status;
  int32_t http;
  int32_t streaming;
  size_t at;
  size_t head;
  size_t whole;
  deprov_response* response;
} deprovpy_event;

/* Where the library puts what ended. Where `token` is not 0, a request was begun. */
typedef struct {
  char* text;
  size_t text_size;
  uint64_t token;
  deprov_error* error;
  int32_t status;
  size_t taken;
  deprovpy_event events[64];
} deprovpy_room;

/* As deprov_engine_next(). Without an error where the time ran out. */
static deprov_status deprovpy_next(deprov_engine* engine, deprovpy_room* room, int64_t timeout_ms);
/* What Python asks. `head` is method, target, peer, workspace, subject, then name and value of each header, with a
   zero between each of them and behind the last. A whole answer that has room lies in the text of the room, from
   its beginning on, and this says so: its HTTP status << 40 | how many bytes the headers take << 20 | how many
   they and the body take. Otherwise 0, and `status` of the room says what became of it; where that is DEPROV_OK,
   its `taken` events were taken. */

/* Begins a request, and waits for nothing: what is answered at once is answered here. */
static int64_t deprovpy_begin(deprov_engine* engine, deprovpy_room* room, uint64_t user, int32_t as,
                              const char* head, size_t head_len, size_t header_count, const char* body,
                              size_t body_len);
/* As deprov_engine_call(). An answer that has no room is the first event. */
static int64_t deprovpy_call(deprov_engine* engine, deprovpy_room* room, int32_t as, const char* head,
                             size_t head_len, size_t header_count, const char* body, size_t body_len);
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

enum { deprovpy_fixed = 5, deprovpy_most_headers = 256 };

/* Points at the texts in `head`. */
static deprov_status deprovpy_fill(deprov_request* request, deprov_header* headers, int32_t as, const char* head,
                                   size_t head_len, size_t header_count, const char* body, size_t body_len,
                                   deprov_error** error) {
  deprov_str parts[deprovpy_fixed];
  const char* at = head;
  const char* const end = head + head_len;
  const size_t count = deprovpy_fixed + 2 * header_count;
  size_t i;
  *error = NULL;
  if (header_count > deprovpy_most_headers)
    return deprovpy_refuse(error, DEPROV_ERR_LIMIT_EXCEEDED, "more than 256 headers", "request.headers");
  for (i = 0; i < count; ++i) {
    const char* const zero = at < end ? memchr(at, 0, (size_t)(end - at)) : NULL;
    deprov_str* const part = i < deprovpy_fixed              ? &parts[i]
                             : (i - deprovpy_fixed) % 2 == 0 ? &headers[(i - deprovpy_fixed) / 2].name
                                                             : &headers[(i - deprovpy_fixed) / 2].value;
    if (zero == NULL) break;
    part->ptr = at;
    part->len = (size_t)(zero - at);
    at = zero + 1;
  }
  if (i != count || at != end)
    return deprovpy_refuse(error, DEPROV_ERR_INVALID_ARGUMENT, "a zero byte in a text", "request.headers");
  memset(request, 0, sizeof *request);
  request->struct_size = sizeof *request;
  request->as = as;
  request->method = parts[0];
  request->target = parts[1];
  request->peer = parts[2];
  request->workspace = parts[3];
  request->subject = parts[4];
  request->headers = headers;
  request->header_count = header_count;
  request->body.ptr = body;
  request->body.len = body_len;
  return DEPROV_OK;
}

/* Copies a text with a zero behind it; NULL where there is no room, or a zero in it. */
static char* deprovpy_put(char* to, const char* end, deprov_str text) {
  if ((size_t)(end - to) <= text.len) return NULL;
  if (text.len != 0) {
    if (memchr(text.ptr, 0, text.len) != NULL) return NULL;
    memcpy(to, text.ptr, text.len);
  }
  to[text.len] = 0;
  return to + text.len + 1;
}

/* Puts a whole answer into the text of the room, behind `used`; how much is used then. */
static size_t deprovpy_pack(deprovpy_room* room, size_t used, deprovpy_event* event) {
  const deprov_response* const response = event->response;
  const deprov_str body = deprov_response_get_body(response);
  const size_t count = deprov_response_get_header_count(response);
  char* const begin = room->text + used;
  const char* const end = room->text + room->text_size;
  char* to = begin;
  size_t i;
  for (i = 0; i < count && to != NULL; ++i) {
    const deprov_header header = deprov_response_get_header(response, i);
    to = deprovpy_put(to, end, header.name);
    if (to != NULL) to = deprovpy_put(to, end, header.value);
  }
  if (to == NULL || (size_t)(end - to) < body.len) return used;
  if (body.len != 0) memcpy(to, body.ptr, body.len);
  event->at = used;
  event->head = (size_t)(to - begin);
  event->whole = event->head + body.len;
  deprov_response_free(event->response);
  event->response = NULL;
  return used + event->whole;
}

static void deprovpy_take(deprovpy_room* room, const deprov_event* list) {
  size_t used = 0;
  size_t i;
  for (i = 0; i < room->taken; ++i) {
    deprovpy_event* const event = &room->events[i];
    memset(event, 0, sizeof *event);
    event->user = (uint64_t)(uintptr_t)list[i].user;
    event->kind = list[i].kind;
    event->status = list[i].status;
    event->response = list[i].response;
    if (event->response == NULL) continue;
    event->http = deprov_response_get_status(event->response);
    event->streaming = deprov_response_is_streaming(event->response);
    if (event->streaming == 0 && room->text_size != 0) used = deprovpy_pack(room, used, event);
  }
}

static deprov_status deprovpy_next(deprov_engine* engine, deprovpy_room* room, int64_t timeout_ms) {
  deprov_event list[64];
  const deprov_status status = deprov_engine_next(engine, list, 64, timeout_ms, &room->taken, &room->error);
  if (status == DEPROV_ERR_TIMEOUT) {
    deprov_error_free(room->error);
    room->error = NULL;
  }
  deprovpy_take(room, list);
  return status;
}

static int64_t deprovpy_whole(const deprovpy_event* event) {
  return (int64_t)event->http << 40 | (int64_t)event->head << 20 | (int64_t)event->whole;
}

static int64_t deprovpy_begin(deprov_engine* engine, deprovpy_room* room, uint64_t user, int32_t as,
                              const char* head, size_t head_len, size_t header_count, const char* body,
                              size_t body_len) {
  deprov_event event;
  deprov_header headers[deprovpy_most_headers];
  deprov_request request;
  const deprovpy_event* const first = &room->events[0];
  room->token = 0;
  room->taken = 0;
  room->status = deprovpy_fill(&request, headers, as, head, head_len, header_count, body, body_len, &room->error);
  if (room->status != DEPROV_OK) return 0;
  room->status = deprov_engine_ask(engine, &request, (void*)(uintptr_t)user, &room->token, &event, 1, 0,
                                   &room->taken, &room->error);
  deprovpy_take(room, &event);
  /* It may be somebody else's. */
  if (room->taken == 0 || first->user != user || first->http == 0 || first->response != NULL) return 0;
  room->taken = 0;
  return deprovpy_whole(first);
}

static int64_t deprovpy_call(deprov_engine* engine, deprovpy_room* room, int32_t as, const char* head,
                             size_t head_len, size_t header_count, const char* body, size_t body_len) {
  deprov_event event;
  deprov_header headers[deprovpy_most_headers];
  deprov_request request;
  memset(&event, 0, sizeof event);
  room->token = 0;
  room->taken = 0;
  room->status = deprovpy_fill(&request, headers, as, head, head_len, header_count, body, body_len, &room->error);
  if (room->status != DEPROV_OK) return 0;
  room->status = deprov_engine_call(engine, &request, &event.response, &room->error);
  if (room->status != DEPROV_OK) return 0;
  room->taken = 1;
  deprovpy_take(room, &event);
  return room->events[0].response == NULL ? deprovpy_whole(&room->events[0]) : 0;
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
