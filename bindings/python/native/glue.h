/* One crossing from Python for what the C interface says in several calls: this is the hot path. */

static deprov_status deprovpy_request(deprov_engine* engine, int32_t wait, uintptr_t user, int32_t as,
                                      const char* method, size_t method_len, const char* target, size_t target_len,
                                      const char* headers, size_t headers_len, size_t header_count,
                                      const char* body, size_t body_len, const char* peer, size_t peer_len,
                                      const char* workspace, size_t workspace_len, uint64_t* token,
                                      deprov_response** response, deprov_error** error);

/* --- bodies --- */

/* `headers` is name, zero, value, zero, and so on. `wait`: the answer goes to `response`; otherwise the request is
   begun, with `user` and `token`. */
static deprov_status deprovpy_request(deprov_engine* engine, int32_t wait, uintptr_t user, int32_t as,
                                      const char* method, size_t method_len, const char* target, size_t target_len,
                                      const char* headers, size_t headers_len, size_t header_count,
                                      const char* body, size_t body_len, const char* peer, size_t peer_len,
                                      const char* workspace, size_t workspace_len, uint64_t* token,
                                      deprov_response** response, deprov_error** error) {
  deprov_header list[256];
  deprov_request request;
  const char* at = headers;
  const char* const end = headers + headers_len;
  size_t i;
  memset(&request, 0, sizeof request);
  if (response != NULL) *response = NULL;
  if (error != NULL) *error = NULL;
  if (header_count > sizeof list / sizeof list[0]) {
    const deprov_str detail = {"more than 256 headers", 21};
    const deprov_str where = {"request.headers", 15};
    const deprov_str none = {NULL, 0};
    if (error != NULL) *error = deprov_error_new(DEPROV_ERR_LIMIT_EXCEEDED, detail, where, none);
    return DEPROV_ERR_LIMIT_EXCEEDED;
  }
  for (i = 0; i < 2 * header_count; ++i) {
    const char* const zero = at < end ? memchr(at, 0, (size_t)(end - at)) : NULL;
    deprov_str* const part = i % 2 == 0 ? &list[i / 2].name : &list[i / 2].value;
    if (zero == NULL) break;
    part->ptr = at;
    part->len = (size_t)(zero - at);
    at = zero + 1;
  }
  if (i != 2 * header_count || at != end) {
    const deprov_str detail = {"a zero byte", 11};
    const deprov_str where = {"request.headers", 15};
    const deprov_str none = {NULL, 0};
    if (error != NULL) *error = deprov_error_new(DEPROV_ERR_INVALID_ARGUMENT, detail, where, none);
    return DEPROV_ERR_INVALID_ARGUMENT;
  }
  request.struct_size = sizeof request;
  request.as = as;
  request.method.ptr = method;
  request.method.len = method_len;
  request.target.ptr = target;
  request.target.len = target_len;
  request.headers = list;
  request.header_count = header_count;
  request.body.ptr = body;
  request.body.len = body_len;
  request.peer.ptr = peer;
  request.peer.len = peer_len;
  request.workspace.ptr = workspace;
  request.workspace.len = workspace_len;
  if (wait != 0) return deprov_engine_call(engine, &request, response, error);
  return deprov_engine_send(engine, &request, (void*)user, token, error);
}
