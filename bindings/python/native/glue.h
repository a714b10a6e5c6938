/* One crossing from Python for what the C interface says in several calls; requests are in ask.c. */

/* As deprov_engine_next(). Without an error where the time ran out. */
static deprov_status deprovpy_next(deprov_engine* engine, deprovpy_room* room, int64_t timeout_ms);
/* As deprov_list_send() of DEPROV_LIST_ADD. `text` is id, external id, user name and e-mail of each user, each
   with a zero behind it. */
static deprov_status deprovpy_list_add(deprov_list* list, uint64_t user, const char* text, size_t text_len,
                                       const char* inactive, size_t count, uint64_t* token, deprov_error** error);

/* --- bodies --- */

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
