/* Where the library puts what ended, for ask.c and for what cffi makes of glue.h. */

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

/* --- bodies --- */

static deprov_status deprovpy_refuse(deprov_error** error, deprov_status status, const char* detail,
                                     const char* at) {
  const deprov_str what = {detail, strlen(detail)};
  const deprov_str where = {at, strlen(at)};
  const deprov_str none = {NULL, 0};
  if (error != NULL) *error = deprov_error_new(status, what, where, none);
  return status;
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

/* Name and value of each header, each with a zero behind it; where they end. NULL where that does not go. */
static char* deprovpy_put_headers(char* to, const char* end, const deprov_response* response) {
  const size_t count = deprov_response_get_header_count(response);
  size_t i;
  for (i = 0; i < count && to != NULL; ++i) {
    const deprov_header header = deprov_response_get_header(response, i);
    to = deprovpy_put(to, end, header.name);
    if (to != NULL) to = deprovpy_put(to, end, header.value);
  }
  return to;
}

/* Puts a whole answer into the text of the room, behind `used`; how much is used then. */
static size_t deprovpy_pack(deprovpy_room* room, size_t used, deprovpy_event* event) {
  const deprov_str body = deprov_response_get_body(event->response);
  char* const begin = room->text + used;
  const char* const end = room->text + room->text_size;
  char* const to = deprovpy_put_headers(begin, end, event->response);
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
