/* A program of somebody who built it once, with the header of that day (capi/abi), and runs with the library of
   today. Usage: program DIRECTORY, in which a connector lies that was built as long ago. A person leaves, and the
   program waits until the app has been read back. */
#include <deprov.h>
#include <stdio.h>
#include <string.h>

#ifdef DEPROV_ROWS_NOTIFICATIONS
#error "this is not the header of version 0.1"
#endif

/* Whoever links this needs every function that there was. */
typedef void (*function)(void);
const function every_function[] = {
    (function)&deprov_status_get_name,
    (function)&deprov_error_new,
    (function)&deprov_error_get_status,
    (function)&deprov_error_get_message,
    (function)&deprov_error_get_detail,
    (function)&deprov_error_get_where,
    (function)&deprov_error_get_advice,
    (function)&deprov_error_free,
    (function)&deprov_buffer_get,
    (function)&deprov_buffer_free,
    (function)&deprov_build_get_version,
    (function)&deprov_build_get_info,
    (function)&deprov_build_has_feature,
    (function)&deprov_connector_new,
    (function)&deprov_connector_free,
    (function)&deprov_call_get_operation,
    (function)&deprov_call_get_account,
    (function)&deprov_call_get_external_id,
    (function)&deprov_call_get_user_name,
    (function)&deprov_call_get_email_count,
    (function)&deprov_call_get_email,
    (function)&deprov_call_get_entitlement,
    (function)&deprov_call_get_delete_account,
    (function)&deprov_call_get_cursor,
    (function)&deprov_call_get_page_size,
    (function)&deprov_call_get_handle,
    (function)&deprov_call_get_idempotency_key,
    (function)&deprov_call_get_timeout_ms,
    (function)&deprov_call_is_cancelled,
    (function)&deprov_call_complete,
    (function)&deprov_call_retain,
    (function)&deprov_call_free,
    (function)&deprov_engine_open,
    (function)&deprov_engine_close,
    (function)&deprov_engine_free,
    (function)&deprov_engine_pump,
    (function)&deprov_engine_get_pump_descriptor,
    (function)&deprov_response_get_status,
    (function)&deprov_response_get_header_count,
    (function)&deprov_response_get_header,
    (function)&deprov_response_get_body,
    (function)&deprov_response_is_streaming,
    (function)&deprov_response_read,
    (function)&deprov_response_want,
    (function)&deprov_response_free,
    (function)&deprov_engine_call,
    (function)&deprov_engine_send,
    (function)&deprov_engine_cancel,
    (function)&deprov_engine_next,
    (function)&deprov_engine_get_event_descriptor,
    (function)&deprov_admin_call,
    (function)&deprov_workspace_create,
    (function)&deprov_integration_create,
    (function)&deprov_record_get,
    (function)&deprov_rows_open,
    (function)&deprov_rows_next,
    (function)&deprov_rows_want,
    (function)&deprov_rows_get_restart,
    (function)&deprov_rows_free,
};

static int freed = 0, logged = 0;

static deprov_str text(const char* s) {
  deprov_str out;
  out.ptr = s;
  out.len = strlen(s);
  return out;
}
static void on_free(void* user) { ++*(int*)user; }
static void on_log(void* user, int32_t level, deprov_str message) {
  (void)level;
  (void)message;
  ++*(int*)user;
}
static void on_start(void* user, void* instance, deprov_call* call) {
  (void)user;
  (void)instance;
  deprov_call_free(call);
}

static int failed(deprov_status status, deprov_error* error, const char* what) {
  if (status == DEPROV_OK) return 0;
  fprintf(stderr, "%s: %d %.*s\n", what, (int)status, (int)deprov_error_get_message(error).len,
          deprov_error_get_message(error).ptr);
  deprov_error_free(error);
  return 1;
}

typedef struct world {
  deprov_engine* engine;
  deprov_caller by;
  deprov_buffer *workspace, *integration, *wiki, *base, *token;
} world;

static deprov_response* scim(const world* w, const char* method, const char* path, const char* body) {
  char target[300], bearer[200];
  deprov_header headers[2];
  deprov_request request;
  deprov_event event;
  size_t taken = 0;
  uint64_t token = 0;
  memset(&request, 0, sizeof request);
  memset(&event, 0, sizeof event);
  snprintf(target, sizeof target, "%s%s", deprov_buffer_get(w->base).ptr, path);
  snprintf(bearer, sizeof bearer, "Bearer %s", deprov_buffer_get(w->token).ptr);
  headers[0].name = text("Authorization");
  headers[0].value = text(bearer);
  headers[1].name = text("Content-Type");
  headers[1].value = text("application/scim+json");
  request.struct_size = sizeof request;
  request.method = text(method);
  request.target = text(target);
  request.headers = headers;
  request.header_count = 2;
  request.body = text(body);
  if (deprov_engine_send(w->engine, &request, &event, &token, NULL) != DEPROV_OK) return NULL;
  if (deprov_engine_next(w->engine, &event, 1, 60000, &taken, NULL) != DEPROV_OK || taken != 1) return NULL;
  return event.kind == DEPROV_EVENT_RESPONSE && event.token == token ? event.response : NULL;
}

/* Reads the activity until it says so. */
static int wait_for(const world* w, const char* what) {
  char target[200], seen[65536];
  size_t length = 0;
  int found = 0;
  deprov_request request;
  deprov_response* response = NULL;
  deprov_str piece;
  memset(&request, 0, sizeof request);
  snprintf(target, sizeof target, "/api/v1/integrations/%s/activity?follow=true", deprov_buffer_get(w->wiki).ptr);
  request.struct_size = sizeof request;
  request.as = DEPROV_AS_LOCAL;
  request.workspace = w->by.workspace;
  request.method = text("GET");
  request.target = text(target);
  if (deprov_engine_call(w->engine, &request, &response, NULL) != DEPROV_OK) return 0;
  while (!found && deprov_response_read(response, 60000, &piece, NULL) == DEPROV_OK &&
         piece.len < sizeof seen - 1 - length) {
    memcpy(seen + length, piece.ptr, piece.len);
    length += piece.len;
    seen[length] = 0;
    found = strstr(seen, what) != NULL;
  }
  deprov_response_free(response);
  return found;
}

static int a_person_leaves(world* w) {
  char path[100];
  deprov_rows_options options;
  deprov_rows* rows = NULL;
  deprov_buffer* id = NULL;
  deprov_str row;
  deprov_response* made =
      scim(w, "POST", "/Users",
           "{\"schemas\": [\"urn:ietf:params:scim:schemas:core:2.0:User\"], \"userName\": \"ann@example.com\","
           " \"active\": true}");
  int good = deprov_response_get_status(made) == 201 &&
             deprov_record_get(deprov_response_get_body(made), text("id"), &id, NULL) == DEPROV_OK;
  deprov_response_free(made);
  if (!good) return 0;
  snprintf(path, sizeof path, "/Users/%s", deprov_buffer_get(id).ptr);
  made = scim(w, "PATCH", path,
              "{\"schemas\": [\"urn:ietf:params:scim:api:messages:2.0:PatchOp\"],"
              " \"Operations\": [{\"op\": \"replace\", \"value\": {\"active\": false}}]}");
  good = deprov_response_get_status(made) == 200 || deprov_response_get_status(made) == 204;
  deprov_response_free(made);
  good = good && wait_for(w, "removal.verified");
  memset(&options, 0, sizeof options);
  options.struct_size = sizeof options;
  options.kind = DEPROV_ROWS_JOBS;
  options.integration = deprov_buffer_get(w->wiki);
  good = good && deprov_rows_open(w->engine, &w->by, &options, &rows, NULL) == DEPROV_OK &&
         deprov_rows_next(rows, &row, NULL) == DEPROV_OK && deprov_rows_get_restart(rows).len != 0;
  deprov_rows_free(rows);
  deprov_buffer_free(id);
  return good;
}

int main(int argc, char** argv) {
  deprov_engine_options options;
  deprov_connector_callbacks callbacks;
  deprov_connector* connector = NULL;
  const deprov_connector* connectors[1];
  deprov_error* error = NULL;
  deprov_str directory;
  world w;
  int good = argc == 2;
  size_t i;
  for (i = 0; i < sizeof every_function / sizeof every_function[0]; ++i) good = good && every_function[i] != NULL;
  if (!good) return 1;
  memset(&w, 0, sizeof w);
  memset(&options, 0, sizeof options);
  memset(&callbacks, 0, sizeof callbacks);
  callbacks.struct_size = sizeof callbacks;
  callbacks.user = &freed;
  callbacks.user_free = on_free;
  callbacks.start = on_start;
  if (failed(deprov_connector_new(text("{\"id\": \"mine\", \"operations\": {\"check\": {}}}"), &callbacks,
                                  &connector, &error),
             error, "connector"))
    return 1;
  connectors[0] = connector;
  directory = text(argv[1]);
  options.struct_size = sizeof options;
  options.store = DEPROV_STORE_MEMORY;
  options.log = on_log;
  options.log_user = &logged;
  options.connectors = connectors;
  options.connector_count = 1;
  options.plugin_directories = &directory;
  options.plugin_directory_count = 1;
  if (failed(deprov_engine_open(&options, &w.engine, &error), error, "open") ||
      failed(deprov_workspace_create(w.engine, text("acme"), text("owner"), &w.workspace, &error), error,
             "workspace") ||
      failed(deprov_record_get(deprov_buffer_get(w.workspace), text("id"), &w.token, &error), error, "id"))
    return 1;
  w.by.struct_size = sizeof w.by;
  w.by.workspace = deprov_buffer_get(w.token);
  if (failed(deprov_integration_create(w.engine, &w.by,
                                       text("{\"name\": \"Wiki\", \"idp\": \"okta\", \"connector\": \"acme\","
                                            " \"config\": {\"api_key\": \"sesame\"}}"),
                                       &w.integration, &error),
             error, "integration"))
    return 1;
  {
    deprov_buffer* workspace = w.token;
    good =
        deprov_record_get(deprov_buffer_get(w.integration), text("id"), &w.wiki, NULL) == DEPROV_OK &&
        deprov_record_get(deprov_buffer_get(w.integration), text("scim_base_path"), &w.base, NULL) == DEPROV_OK &&
        deprov_record_get(deprov_buffer_get(w.integration), text("scim_token"), &w.token, NULL) == DEPROV_OK &&
        a_person_leaves(&w);
    deprov_buffer_free(workspace);
  }
  good = !failed(deprov_engine_close(w.engine, 60000, NULL, &error), error, "close") && good;
  deprov_engine_free(w.engine);
  deprov_connector_free(connector);
  deprov_buffer_free(w.workspace);
  deprov_buffer_free(w.integration);
  deprov_buffer_free(w.wiki);
  deprov_buffer_free(w.base);
  deprov_buffer_free(w.token);
  good = good && freed == 1 && logged > 0;
  puts(good ? "what was built once runs with the library of today" : "it does not run any more");
  return good ? 0 : 1;
}
