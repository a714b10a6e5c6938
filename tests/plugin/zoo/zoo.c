/* A connector to an app in memory. Built as it is, it is good; built with DEFECT, it has that defect and no other.
 */
#include <deprov_connector.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
  GOOD,
  /* loading */
  NO_ENTRY,
  ENTRY_NULL,
  SHORT_TABLE,
  NO_START,
  OTHER_ID,
  OTHER_VERSION,
  EXPORTS_MORE,
  /* contract */
  OPEN_FAILS,
  NEVER_COMPLETES,
  COMPLETES_TWICE,
  DROPS_CALL,
  OUTCOME_99,
  ACCOUNTS_BROKEN,
  EFFECT_MISSING,
  EFFECT_ON_READ,
  NOT_SUPPORTED,
  /* semantics */
  DISABLE_LIES,
  DISABLE_TWICE_FAILS,
  ENABLE_LIES,
  FIND_INEXACT,
  FIND_ANYBODY,
  FIND_HIDES_DISABLED,
  READ_ANYBODY,
  LIST_NEVER_ENDS,
  LIST_FORGETS,
  REMOVE_LIES,
  REMOVE_TWICE_FAILS,
  CHECK_SEES_NOBODY,
  /* faults */
  CRASHES,
  CRASHES_ON_LOAD,
  EXITS,
  HANGS,
  IGNORES_CANCEL,
  CORRUPTS,
  EXHAUSTS_MEMORY,
  EXHAUSTS_DESCRIPTORS,
  /* hygiene and leaks */
  PRINTS,
  TELLS_SECRET,
  TAKES_SIGNAL,
  LEAKS_TEXT,
  LEAKS_CALL,
  LEAKS_MEMORY,
  LEAKS_DESCRIPTOR,
  LEAKS_THREAD
};

#ifndef DEFECT
#define DEFECT GOOD
#endif
#define HAS(defect) (DEFECT == (defect))

#define ACCOUNTS 5
static const char* const names[ACCOUNTS] = {"ann@example.com", "bob@example.com", "cyd@example.com",
                                            "dan@example.com", "eve@example.com"};

typedef struct instance {
  deprov_connector_connection* connection;
  int disabled[ACCOUNTS];
  int removed[ACCOUNTS];
} instance;

static const deprov_connector_host_v1* host;

/* Calls that are never completed: so that a search for leaks finds the host's memory in use. */
deprov_connector_call* zoo_kept[256];

static deprov_str text(const char* s) {
  deprov_str out;
  out.ptr = s;
  out.len = strlen(s);
  return out;
}

static int same(deprov_str a, const char* b) { return a.len == strlen(b) && memcmp(a.ptr, b, a.len) == 0; }

static void account(const instance* app, int i, char* out, size_t size) {
  snprintf(out, size,
           "{\"id\":\"u%d\",\"external_id\":\"x%d\",\"user_name\":\"%s\",\"emails\":[\"%s\"],\"active\":%s}", i, i,
           names[i], names[i], app->disabled[i] ? "false" : "true");
}

static int index_of(const instance* app, deprov_str id) {
  int i;
  char own[8];
  for (i = 0; i < ACCOUNTS; ++i) {
    snprintf(own, sizeof own, "u%d", i);
    if (same(id, own) && !app->removed[i]) return i;
  }
  return -1;
}

static int matches(const instance* app, int i, const deprov_connector_request* r) {
  char external[8];
  size_t e;
  if (app->removed[i] || (HAS(FIND_HIDES_DISABLED) && app->disabled[i])) return 0;
  if (HAS(FIND_ANYBODY)) return 1;
  if (HAS(FIND_INEXACT)) return r->user_name.len > 3 && memcmp(r->user_name.ptr, names[i], 3) == 0;
  snprintf(external, sizeof external, "x%d", i);
  if (r->external_id.len != 0 && same(r->external_id, external)) return 1;
  if (same(r->user_name, names[i])) return 1;
  for (e = 0; e < r->email_count; ++e)
    if (same(r->emails[e], names[i])) return 1;
  return 0;
}

static int set_state(instance* app, deprov_str id, int disabled, deprov_connector_reply* reply) {
  const int i = index_of(app, id);
  if (i < 0) return DEPROV_OUTCOME_NOT_FOUND;
  if (app->disabled[i] == disabled) {
    if (disabled && HAS(DISABLE_TWICE_FAILS)) return DEPROV_OUTCOME_CONFLICT_STATE;
    reply->effect = DEPROV_EFFECT_ALREADY;
    return DEPROV_OUTCOME_OK;
  }
  if (!(disabled && HAS(DISABLE_LIES)) && !(!disabled && HAS(ENABLE_LIES))) app->disabled[i] = disabled;
  reply->effect = HAS(EFFECT_MISSING) ? DEPROV_EFFECT_NONE : DEPROV_EFFECT_DONE;
  return DEPROV_OUTCOME_OK;
}

/* Two accounts a page; the cursor is the index to go on with. */
static void list(const instance* app, const deprov_connector_request* r, char* out, size_t size, char* next) {
  int i = r->cursor.len == 1 ? r->cursor.ptr[0] - '0' : 0, n = 0;
  size_t used = 1;
  strcpy(out, "[");
  for (; i < ACCOUNTS && n < 2; ++i) {
    if (app->removed[i] || (HAS(LIST_FORGETS) && i == 0)) continue;
    if (n++ != 0) out[used++] = ',';
    account(app, i, out + used, size - used);
    used += strlen(out + used);
  }
  strcpy(out + used, "]");
  if (i < ACCOUNTS) {
    next[0] = (char)('0' + i);
    next[1] = 0;
  }
  if (HAS(LIST_NEVER_ENDS)) strcpy(next, "0");
}

static void* idle(void* unused) {
  for (;;) pause();
  return unused;
}

static void misbehave(instance* app, deprov_connector_call* call) {
  static int kept = 0;
  (void)app;
  (void)call;
  if (HAS(CRASHES)) abort();
  if (HAS(EXITS)) _exit(0);
  if (HAS(HANGS)) {
    host->log(app->connection, DEPROV_LOG_INFO, text("nothing is done from here on"));
    (void)idle(NULL);
  }
  if (HAS(CORRUPTS)) { /* whatever may be spoken through */
    int fd;
    for (fd = 3; fd < 64; ++fd) (void)!write(fd, "nonsense nonsense nonsense", 26);
  }
  if (HAS(EXHAUSTS_MEMORY)) {
    for (;;) {
      volatile char* more = (volatile char*)malloc((size_t)64 << 20);
      if (more == NULL) abort();
      more[0] = 1;
    }
  }
  if (HAS(EXHAUSTS_DESCRIPTORS)) {
    while (open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0) {
    }
    abort();
  }
  if (HAS(PRINTS)) puts("debug: I was called");
  if (HAS(LEAKS_TEXT)) (void)host->text_new();
  if (HAS(LEAKS_CALL)) (void)host->call_retain(call);
  if (HAS(LEAKS_MEMORY)) {
    volatile char* lost = (volatile char*)malloc(4096);
    if (lost != NULL) lost[0] = 1;
  }
  if (HAS(LEAKS_DESCRIPTOR)) (void)open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (HAS(LEAKS_THREAD) && kept++ < 400) {
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_create(&thread, NULL, idle, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
  }
}

static void start(void* opened, const deprov_connector_request* r, deprov_connector_call* call) {
  instance* app = (instance*)opened;
  deprov_connector_reply reply;
  char accounts[1024] = "", next[4] = "", detail[200] = "";
  int i;
  memset(&reply, 0, sizeof reply);
  reply.struct_size = sizeof reply;
  misbehave(app, call);
  if (HAS(NEVER_COMPLETES) || (HAS(IGNORES_CANCEL) && r->operation == DEPROV_OPERATION_CHECK)) {
    static size_t count = 0;
    if (count < 256) zoo_kept[count++] = call;
    return;
  }
  if (HAS(DROPS_CALL)) {
    host->call_free(call);
    return;
  }
  switch (r->operation) {
    case DEPROV_OPERATION_CHECK:
      if (!HAS(CHECK_SEES_NOBODY)) {
        account(app, ACCOUNTS - 1, accounts + 1, sizeof accounts - 2);
        accounts[0] = '[';
        strcat(accounts, "]");
      }
      break;
    case DEPROV_OPERATION_FIND: {
      size_t used = 1;
      strcpy(accounts, "[");
      for (i = 0; i < ACCOUNTS; ++i) {
        if (!matches(app, i, r)) continue;
        if (used > 1) accounts[used++] = ',';
        account(app, i, accounts + used, sizeof accounts - used - 2);
        used += strlen(accounts + used);
      }
      strcpy(accounts + used, "]");
      if (used == 1) reply.outcome = DEPROV_OUTCOME_NOT_FOUND;
      break;
    }
    case DEPROV_OPERATION_READ:
      i = index_of(app, r->account);
      if (i < 0 && HAS(READ_ANYBODY)) i = 0;
      if (i < 0) {
        reply.outcome = DEPROV_OUTCOME_NOT_FOUND;
      } else {
        strcpy(accounts, "[");
        account(app, i, accounts + 1, sizeof accounts - 2);
        strcat(accounts, "]");
      }
      if (HAS(EFFECT_ON_READ)) reply.effect = DEPROV_EFFECT_DONE;
      break;
    case DEPROV_OPERATION_LIST: list(app, r, accounts, sizeof accounts, next); break;
    case DEPROV_OPERATION_DISABLE: reply.outcome = set_state(app, r->account, 1, &reply); break;
    case DEPROV_OPERATION_ENABLE: reply.outcome = set_state(app, r->account, 0, &reply); break;
    case DEPROV_OPERATION_REMOVE:
      i = index_of(app, r->account);
      if (i < 0) {
        reply.outcome = HAS(REMOVE_TWICE_FAILS) ? DEPROV_OUTCOME_INTERNAL : DEPROV_OUTCOME_NOT_FOUND;
      } else {
        if (!HAS(REMOVE_LIES)) app->removed[i] = 1;
        reply.effect = DEPROV_EFFECT_DONE;
      }
      break;
    case DEPROV_OPERATION_LIST_ENTITLEMENTS: /* where a test's manifest names it */
      i = index_of(app, r->account);
      if (i < 0) {
        reply.outcome = DEPROV_OUTCOME_NOT_FOUND;
      } else {
        snprintf(accounts, sizeof accounts, "[{\"id\":\"u%d\",\"groups\":[\"staff\"]}]", i);
      }
      break;
    case DEPROV_OPERATION_REVOKE_SESSIONS:
      reply.effect = DEPROV_EFFECT_DONE;
      if (index_of(app, r->account) < 0) reply.outcome = DEPROV_OUTCOME_NOT_FOUND;
      if (HAS(NOT_SUPPORTED)) reply.outcome = DEPROV_OUTCOME_UNSUPPORTED;
      break;
    default: reply.outcome = DEPROV_OUTCOME_UNSUPPORTED; break;
  }
  if (HAS(TELLS_SECRET)) {
    deprov_connector_text* secret = host->text_new();
    if (host->secret_get(app->connection, text("token"), secret) == DEPROV_OK)
      snprintf(detail, sizeof detail, "logged in with %s", host->text_get(secret).ptr);
    host->text_free(secret);
  }
  if (HAS(OUTCOME_99)) reply.outcome = 99;
  reply.accounts = HAS(ACCOUNTS_BROKEN) ? text("[{\"id\":") : text(accounts);
  reply.next_cursor = text(next);
  reply.detail = text(detail);
  (void)host->call_complete(call, &reply, NULL);
  if (HAS(COMPLETES_TWICE)) (void)host->call_complete(call, &reply, NULL);
  host->call_free(call);
}

static int32_t open_connection(deprov_connector_connection* connection, void** opened,
                               deprov_connector_text* problem) {
  instance* app;
  if (HAS(OPEN_FAILS)) {
    (void)host->text_set(problem, text("there is no weather today"));
    return DEPROV_ERR_UNAVAILABLE;
  }
  if (HAS(TAKES_SIGNAL)) signal(SIGTERM, SIG_IGN);
  app = (instance*)calloc(1, sizeof *app);
  if (app == NULL) return DEPROV_ERR_INTERNAL;
  app->connection = connection;
  app->disabled[1] = 1; /* bob was disabled before */
  *opened = app;
  return DEPROV_OK;
}

static void close_connection(void* opened) { free(opened); }

static void cancel(void* opened, deprov_connector_call* call) {
  (void)opened;
  (void)call;
}

static const deprov_connector_table_v1 table = {
    HAS(SHORT_TABLE) ? 24 : sizeof table,
    DEPROV_CONNECTOR_ABI_MINOR,
    0,
    {HAS(OTHER_ID) ? "zoo2" : "zoo", HAS(OTHER_ID) ? 4 : 3},
    {HAS(OTHER_VERSION) ? "0.9.0" : "1.0.0", 5},
    open_connection,
    close_connection,
    HAS(NO_START) ? NULL : start,
    cancel,
};

static const deprov_connector_table_v1* enter(const deprov_connector_host_v1* given) {
  host = given;
  return HAS(ENTRY_NULL) ? NULL : &table;
}

#if defined(WITHOUT_ENTRY)
DEPROV_CONNECTOR_EXPORT const deprov_connector_table_v1* deprov_connector_entry_v0(
    const deprov_connector_host_v1* given);
const deprov_connector_table_v1* deprov_connector_entry_v0(const deprov_connector_host_v1* given) {
  return enter(given);
}
#else
const deprov_connector_table_v1* deprov_connector_entry_v1(const deprov_connector_host_v1* given) {
  return enter(given);
}
#endif

#if defined(WITH_MORE)
DEPROV_CONNECTOR_EXPORT void helper_of_mine(void);
void helper_of_mine(void) {}
#endif

#if defined(WITH_CONSTRUCTOR)
__attribute__((constructor)) static void crash_early(void) { abort(); }
#endif
