/* A connector of somebody who built it once, with the header of that day (capi/abi). */
#include <deprov_connector.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ACCOUNTS 2

/* One connection. The app behind it stands in memory. */
typedef struct acme {
  deprov_connector_connection* connection;
  int active[ACCOUNTS];
  int removed[ACCOUNTS];
} acme;

static const char* const names[ACCOUNTS] = {"ann@example.com", "bob@example.com"};
static const deprov_connector_host_v1* host;

static deprov_str text(const char* s) {
  deprov_str out;
  out.ptr = s;
  out.len = strlen(s);
  return out;
}

static int same(deprov_str a, const char* b) { return a.len == strlen(b) && memcmp(a.ptr, b, a.len) == 0; }

/* Which account, or -1: by its id, or by its user name. */
static int index_of(const acme* app, deprov_str id, deprov_str user_name) {
  char own[16];
  int i;
  for (i = 0; i < ACCOUNTS; ++i) {
    snprintf(own, sizeof own, "%d", i + 1);
    if (!app->removed[i] && (id.len != 0 ? same(id, own) : same(user_name, names[i]))) return i;
  }
  return -1;
}

static void set_active(acme* app, int i, int active, deprov_connector_reply* reply) {
  reply->effect = app->active[i] == active ? DEPROV_EFFECT_ALREADY : DEPROV_EFFECT_DONE;
  app->active[i] = active;
}

static void start(void* instance, const deprov_connector_request* request, deprov_connector_call* call) {
  acme* app = (acme*)instance;
  deprov_connector_reply reply;
  char accounts[200];
  const int i =
      request->operation == DEPROV_OPERATION_CHECK ? 0 : index_of(app, request->account, request->user_name);
  memset(&reply, 0, sizeof reply);
  reply.struct_size = sizeof reply;
  if (i < 0) {
    reply.outcome = DEPROV_OUTCOME_NOT_FOUND;
  } else {
    switch (request->operation) {
      case DEPROV_OPERATION_CHECK: /* proves that the credential can see accounts, by showing one */
      case DEPROV_OPERATION_FIND:
      case DEPROV_OPERATION_READ:
        snprintf(accounts, sizeof accounts, "[{\"id\":\"%d\",\"user_name\":\"%s\",\"active\":%s}]", i + 1,
                 names[i], app->active[i] ? "true" : "false");
        reply.accounts = text(accounts);
        break;
      case DEPROV_OPERATION_DISABLE: set_active(app, i, 0, &reply); break;
      case DEPROV_OPERATION_ENABLE: set_active(app, i, 1, &reply); break;
      case DEPROV_OPERATION_REMOVE:
        app->removed[i] = 1;
        reply.effect = DEPROV_EFFECT_DONE;
        host->log(app->connection, DEPROV_LOG_INFO, text("an account was removed"));
        break;
      default: reply.outcome = DEPROV_OUTCOME_UNSUPPORTED; break;
    }
  }
  (void)host->call_complete(call, &reply, NULL);
  host->call_free(call);
}

static int32_t open_connection(deprov_connector_connection* connection, void** instance,
                               deprov_connector_text* problem) {
  deprov_connector_text* key = host->text_new();
  acme* app = (acme*)calloc(1, sizeof *app);
  int i;
  if (key == NULL || app == NULL || host->secret_get(connection, text("api_key"), key) != DEPROV_OK) {
    (void)host->text_set(problem, text("api_key is missing"));
    host->text_free(key);
    free(app);
    return DEPROV_ERR_INVALID_ARGUMENT;
  }
  host->text_free(key);
  app->connection = connection;
  for (i = 0; i < ACCOUNTS; ++i) app->active[i] = 1;
  *instance = app;
  return DEPROV_OK;
}

static void close_connection(void* instance) { free(instance); }

static const deprov_connector_table_v1 table = {sizeof table,
                                                DEPROV_CONNECTOR_ABI_MINOR,
                                                0,
                                                {"acme", sizeof "acme" - 1},
                                                {"0.1.0", sizeof "0.1.0" - 1},
                                                open_connection,
                                                close_connection,
                                                start,
                                                NULL};

const deprov_connector_table_v1* deprov_connector_entry_v1(const deprov_connector_host_v1* given) {
  host = given;
  return &table;
}
