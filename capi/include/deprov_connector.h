/**
 * @file deprov_connector.h
 * What a vendor needs to write a connector for deprov: this file, and nothing else. C99, usable from C++; a
 * wrapper for C++ is deprov_connector.hpp.
 *
 * A connector is a shared library with one exported function, ::deprov_connector_entry_v1, and a manifest beside
 * it: `NAME.so` and `NAME.json`. The manifest (schemas/connector-manifest.schema.json) says everything that can be
 * known without running code: id, version, the range of ABIs, operations and what they are capable of, the JSON
 * Schema of the configuration, which of its members are secret, and which hosts are spoken to. `deprov connector
 * new NAME` writes a connector to begin with, `deprov connector check LIB` judges one.
 *
 * **Across the border.** Functions come in two tables, one of the connector and one of the host. Both begin with
 * their size and grow at their ends only. Nothing that one side allocated is freed by the other: what a connector
 * hands out is copied before the call returns; what the host hands out is let go of by a function of the host.
 * A connector that was loaded is never unloaded.
 *
 * **Text** is ::deprov_str, bytes with a length, UTF-8, without a zero byte that could be counted on.
 *
 * **Threads.** Each function says which thread it is called by. Those of the host may be called from any thread.
 * A connector starts no thread with signals unblocked, and installs no signal handler.
 *
 * **Exceptions and longjmp** do not cross the border. deprov_connector.hpp sees to that.
 *
 * **Where it runs** is the operator's to say, for each integration: in the process of deprov, or in a worker
 * process, one for each connection, with the same functions. There the environment is nearly empty, standard
 * output and error go nowhere, descriptors, memory and CPU are bounded, and texts and accounts of one reply may
 * have 80 MiB together. A call that is not complete 5 s after the worker itself would have answered it ends the
 * worker.
 *
 * **What a connector must keep to.** The truth in every reply: OK with an effect only for what the app has said it
 * did; NOT_SENT only where nothing can have reached the app; UNKNOWN_OUTCOME where it may have. Twice is once:
 * what is already as wanted is OK with the effect ALREADY. A disabled account is found and read as every other.
 *
 * **What it keeps** from one start to the next are checkpoints (since ABI 1.1): small texts by name, of its
 * integration alone. What else it has in memory goes with its connection or process.
 *
 * **Not offered in ABI 1.1**: timers, and feeding changes.
 *
 * **Compatibility.** A connector is loaded by every deprov whose connector ABI has the same major as its
 * manifest's `abi`, and the same or a higher minor. What came with a later minor than the manifest requires is
 * used only where the host's `struct_size` says that it is there.
 */
#ifndef DEPROV_CONNECTOR_H
#define DEPROV_CONNECTOR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DEPROV_CONNECTOR_ABI_MAJOR 1 /**< the version of this interface */
#define DEPROV_CONNECTOR_ABI_MINOR 1 /**< the same */

/** Marks the one function that a connector exports; compile everything else with hidden visibility. */
#define DEPROV_CONNECTOR_EXPORT __attribute__((visibility("default")))

#ifndef DEPROV_STR
#define DEPROV_STR /**< ::deprov_str is declared, here or by the other header */
/** Bytes with a length. `ptr` may be NULL where `len` is 0. Its layout is frozen. */
typedef struct deprov_str {
  const char* ptr; /**< not promised to end with a zero byte */
  size_t len;      /**< in bytes */
} deprov_str;
#endif

/* What became of a call across the border. Those of deprov.h, as far as they are of use here. */
#define DEPROV_OK 0                    /**< it is done */
#define DEPROV_ERR_INVALID_SYNTAX 1    /**< not the JSON, or not the form, that is taken here */
#define DEPROV_ERR_INVALID_ARGUMENT 11 /**< a bad option, configuration or record */
#define DEPROV_ERR_LIMIT_EXCEEDED 12   /**< a size, depth or count over its bound */
#define DEPROV_ERR_UNSUPPORTED 14      /**< known, and not offered here */
#define DEPROV_ERR_NOT_FOUND 42        /**< it is not there */
#define DEPROV_ERR_CONFLICT 44         /**< the present state does not allow it */
#define DEPROV_ERR_UNAVAILABLE 72      /**< not now: try again later */
#define DEPROV_ERR_CLOSED 74           /**< nobody waits for it any more */
#define DEPROV_ERR_INTERNAL 75         /**< a fault of the one who says so */

/* Operations; the manifest declares which ones there are. */
#define DEPROV_OPERATION_CHECK 0               /**< reachable, credential good, able to see accounts */
#define DEPROV_OPERATION_FIND 1                /**< accounts that match a subject exactly */
#define DEPROV_OPERATION_READ 2                /**< one account by its immutable id */
#define DEPROV_OPERATION_LIST 3                /**< a page of all accounts */
#define DEPROV_OPERATION_DISABLE 4             /**< the account, so that it can be enabled again */
#define DEPROV_OPERATION_ENABLE 5              /**< what was disabled */
#define DEPROV_OPERATION_REMOVE 6              /**< the membership, or the account: `delete_account` */
#define DEPROV_OPERATION_TRANSFER 7            /**< what the account owns, to another one */
#define DEPROV_OPERATION_REVOKE_SESSIONS 8     /**< sessions and tokens */
#define DEPROV_OPERATION_LIST_ENTITLEMENTS 9   /**< roles, groups, licences of an account */
#define DEPROV_OPERATION_REVOKE_ENTITLEMENT 10 /**< takes one away */
#define DEPROV_OPERATION_GRANT_ENTITLEMENT 11  /**< gives one */
#define DEPROV_OPERATION_POLL 12               /**< what became of a change that was accepted */

/* Outcomes. They are disjoint, and each has one consequence. */
#define DEPROV_OUTCOME_OK 0                /**< it is so */
#define DEPROV_OUTCOME_NOT_FOUND 1         /**< there is no such account */
#define DEPROV_OUTCOME_AMBIGUOUS 2         /**< more than one fits */
#define DEPROV_OUTCOME_CONFLICT_STATE 3    /**< the account's state does not allow it */
#define DEPROV_OUTCOME_PRECONDITION 4      /**< the app wants something else first */
#define DEPROV_OUTCOME_PROTECTED 5         /**< the app refuses it of this account */
#define DEPROV_OUTCOME_INVALID_REQUEST 6   /**< the app does not understand it */
#define DEPROV_OUTCOME_UNSUPPORTED 7       /**< the app cannot do that */
#define DEPROV_OUTCOME_PERMISSION_DENIED 8 /**< this operation is refused to the credential */
#define DEPROV_OUTCOME_AUTH_EXPIRED 9      /**< the credential was good once */
#define DEPROV_OUTCOME_AUTH_FAILED 10      /**< pauses the integration's jobs */
#define DEPROV_OUTCOME_THROTTLED 11        /**< costs no attempt; see `retry_after_ms` */
#define DEPROV_OUTCOME_UNAVAILABLE 12      /**< not now; tried again */
#define DEPROV_OUTCOME_NOT_SENT 13         /**< nothing reached the app: repeating is safe */
#define DEPROV_OUTCOME_UNKNOWN_OUTCOME 14  /**< sent and not answered: it is read back before it is repeated */
#define DEPROV_OUTCOME_PROTOCOL 15         /**< the app answered nonsense */
#define DEPROV_OUTCOME_CANCELLED 16        /**< only where nothing was sent */
#define DEPROV_OUTCOME_DEADLINE 17         /**< the time ran out */
#define DEPROV_OUTCOME_INTERNAL 18         /**< a fault of the connector */

/* What a change did, where its outcome is DEPROV_OUTCOME_OK. */
#define DEPROV_EFFECT_NONE 0     /**< nothing was to be changed: check, find, read, list */
#define DEPROV_EFFECT_DONE 1     /**< it was changed */
#define DEPROV_EFFECT_ALREADY 2  /**< the app was in the wanted state */
#define DEPROV_EFFECT_ACCEPTED 3 /**< the app works on it; `handle` names it for poll */

/* How far DEPROV_OUTCOME_THROTTLED reaches. */
#define DEPROV_THROTTLE_CONNECTION 0 /**< to all that is asked of the app */
#define DEPROV_THROTTLE_OPERATION 1  /**< to this operation */
#define DEPROV_THROTTLE_ACCOUNT 2    /**< to this account */

#define DEPROV_CHECKPOINT_NAME_BYTES 100    /**< the most that the name of a checkpoint may have */
#define DEPROV_CHECKPOINT_VALUE_BYTES 65536 /**< the most that a checkpoint may have */
#define DEPROV_CHECKPOINT_NAMES 32          /**< the most checkpoints that one integration may have */
#define DEPROV_CHECKPOINTS_AT_ONCE 64       /**< the most that one connection may ask for and not have been told */

#define DEPROV_LOG_INFO 0    /**< what is normal */
#define DEPROV_LOG_WARNING 1 /**< what somebody should look at */
#define DEPROV_LOG_ERROR 2   /**< what does not work */

/** Text that the host keeps for the connector. Used by one thread at a time. */
typedef struct deprov_connector_text deprov_connector_text;
/** A JSON document that the host has parsed. Immutable. */
typedef struct deprov_connector_json deprov_connector_json;
/** One configured connection to one app, as the host knows it: from `open` until `close` has returned. */
typedef struct deprov_connector_connection deprov_connector_connection;
/** One call, until it is let go of. Counted: it may outlive its connection. */
typedef struct deprov_connector_call deprov_connector_call;

/** What is asked. Everything in it is good until the call is let go of. Grows at its end; `struct_size` says how
 * far the host knows it. */
typedef struct deprov_connector_request {
  size_t struct_size;         /**< sizeof, as the host or the connector knows it */
  int32_t operation;          /**< `DEPROV_OPERATION_*` */
  int32_t delete_account;     /**< remove: 1 the account itself, 0 its membership */
  deprov_str account;         /**< the account's id; empty for check, find and list */
  deprov_str external_id;     /**< find: the subject's externalId, exactly; may be empty */
  deprov_str user_name;       /**< find: the subject's userName, exactly; may be empty */
  const deprov_str* emails;   /**< find: the subject's addresses */
  size_t email_count;         /**< of `emails` */
  deprov_str entitlement;     /**< revoke_entitlement, grant_entitlement */
  deprov_str cursor;          /**< list: where to go on; empty: from the start */
  deprov_str handle;          /**< poll: what the change was accepted with */
  deprov_str idempotency_key; /**< the same for each attempt of one step */
  int64_t timeout_ms;         /**< what is not complete by then is answered for the connector; see `start` */
  uint32_t page_size;         /**< list: how many accounts a page should have */
  uint32_t reserved;          /**< 0 */
} deprov_connector_request;

/** What a call is completed with. All zero but `struct_size`: OK, and nothing was changed. */
typedef struct deprov_connector_reply {
  size_t struct_size; /**< sizeof, as the host or the connector knows it */
  int32_t outcome;    /**< `DEPROV_OUTCOME_*` */
  int32_t effect;     /**< `DEPROV_EFFECT_*`, for a change that is OK */
  /** A JSON array of accounts, or empty: `id` (needed), `external_id`, `user_name`, `emails` and `groups` (arrays
   * of texts), `active` (absent where the app does not say). For check, find, read, list; for a change what was
   *  observed. check answers with any one account that the credential can see. */
  deprov_str accounts;
  deprov_str next_cursor;  /**< list: empty at the end, and only then is the list complete */
  deprov_str handle;       /**< of an accepted change */
  int64_t retry_after_ms;  /**< how long the app wants to be left alone, where `has_retry_after` is not 0 */
  int32_t has_retry_after; /**< 0: it did not say */
  int32_t throttle_scope;  /**< `DEPROV_THROTTLE_*` */
  deprov_str detail; /**< for people; secrets of the configuration are taken out, and all beyond 1000 bytes; bytes
                          that are not UTF-8 become U+FFFD */
} deprov_connector_reply;

/** One header of an HTTP message. Its layout is frozen. */
typedef struct deprov_connector_header {
  deprov_str name;  /**< in any case */
  deprov_str value; /**< without spaces around it */
} deprov_connector_header;

/** An HTTP exchange that the host carries out: verified TLS, HTTP/2 where it is offered, connections kept alive.
 *  Redirects are not followed. Only hosts that the manifest names under `egress`, at addresses that the operator
 *  allows. */
typedef struct deprov_connector_http_request {
  size_t struct_size;                     /**< sizeof, as the host or the connector knows it */
  deprov_str method;                      /**< empty: GET */
  deprov_str url;                         /**< http or https, without a user name */
  const deprov_connector_header* headers; /**< may be NULL where there are none */
  size_t header_count;                    /**< of `headers` */
  deprov_str body;                        /**< may be empty */
  int64_t timeout_ms;                     /**< 0: 30 s; never more than what is left of the call */
  uint64_t max_response_bytes;            /**< 0: 16 MiB, which is also the most */
  deprov_str ca_pem;                      /**< whom to trust in place of the system's authorities */
  deprov_str proxy;                       /**< http://host:port; empty: none, whatever the environment says */
  deprov_str proxy_user;                  /**< empty: none */
  deprov_str proxy_password;              /**< of `proxy_user` */
} deprov_connector_http_request;

#define DEPROV_HTTP_OK 0        /**< there is a response */
#define DEPROV_HTTP_EGRESS 1    /**< the manifest does not name the host: nothing was sent */
#define DEPROV_HTTP_RESOLVE 2   /**< the host has no address */
#define DEPROV_HTTP_CONNECT 3   /**< no connection */
#define DEPROV_HTTP_TLS 4       /**< no TLS, or a certificate that is not trusted */
#define DEPROV_HTTP_TIMEOUT 5   /**< the time ran out */
#define DEPROV_HTTP_BROKEN 6    /**< the connection broke */
#define DEPROV_HTTP_TOO_LARGE 7 /**< more than `max_response_bytes` */
#define DEPROV_HTTP_CANCELLED 8 /**< the call was cancelled */
#define DEPROV_HTTP_PROTOCOL 9  /**< no HTTP */

/** What came back; good during the callback only. */
typedef struct deprov_connector_http_response {
  size_t struct_size; /**< sizeof, as the host or the connector knows it */
  int32_t failure;    /**< `DEPROV_HTTP_*`; 0: there is a response */
  int32_t sent;       /**< of a failure: 0 only where no byte of the request can have reached the other side */
  int32_t status;     /**< of HTTP */
  int32_t has_retry_after;                /**< 0: it did not say */
  int64_t retry_after_ms;                 /**< of Retry-After, at most an hour */
  const deprov_connector_header* headers; /**< may be NULL where there are none */
  size_t header_count;                    /**< of `headers` */
  deprov_str body;                        /**< may be empty */
  deprov_str detail;                      /**< of a failure, for people */
} deprov_connector_http_response;

/** Functions of the host. The table is there for as long as the process. Look at `struct_size` before you use a
 *  function of a later minor than you require in the manifest. */
typedef struct deprov_connector_host_v1 {
  size_t struct_size; /**< sizeof, as the host or the connector knows it */
  uint32_t abi_minor; /**< the host's */
  uint32_t reserved;  /**< 0 */

  /* ---- text */
  /** Empty. NULL where memory is exhausted. */
  deprov_connector_text* (*text_new)(void);
  /** Copies. */
  int32_t (*text_set)(deprov_connector_text* text, deprov_str value);
  /** Good until the text is set again or let go of. A zero byte that is not counted follows. */
  deprov_str (*text_get)(const deprov_connector_text* text);
  /** What was in it is wiped. Accepts NULL. */
  void (*text_free)(deprov_connector_text* text);

  /* ---- JSON, for connectors without a library for it */
  /** NULL where it is no JSON, or more than 16 MiB, or nested deeper than 64. */
  deprov_connector_json* (*json_parse)(deprov_str document);
  /** The value at a JSON pointer (RFC 6901): strings as they are, everything else as JSON.
   *  *Errors*: DEPROV_ERR_NOT_FOUND, DEPROV_ERR_INVALID_ARGUMENT. */
  int32_t (*json_get)(const deprov_connector_json* json, deprov_str pointer, deprov_connector_text* value);
  /** How many elements or members there are at a JSON pointer; -1 where there is no array or object. */
  int64_t (*json_count)(const deprov_connector_json* json, deprov_str pointer);
  /** Accepts NULL. */
  void (*json_free)(deprov_connector_json* json);
  /** `value` as a JSON string, with its quotes. *Errors*: DEPROV_ERR_INVALID_ARGUMENT (no UTF-8). */
  int32_t (*json_quote)(deprov_str value, deprov_connector_text* quoted);

  /* ---- the connection */
  /** A member of the configuration by its dotted path, as json_get() shows it; an empty path: all of it, as JSON.
   *  Secrets are not in there. *Errors*: DEPROV_ERR_NOT_FOUND. */
  int32_t (*config_get)(const deprov_connector_connection* connection, deprov_str path,
                        deprov_connector_text* value);
  /** A secret by the name that the manifest gives it under `secrets`. *Errors*: DEPROV_ERR_NOT_FOUND. */
  int32_t (*secret_get)(const deprov_connector_connection* connection, deprov_str name,
                        deprov_connector_text* value);
  /** Secrets of the configuration are taken out, and all beyond 4000 bytes. `level` is one of `DEPROV_LOG_*`. */
  void (*log)(const deprov_connector_connection* connection, int32_t level, deprov_str message);
  /** Microseconds since 1970-01-01T00:00:00Z. */
  int64_t (*wall_us)(const deprov_connector_connection* connection);
  /** Microseconds since some moment; never goes back. */
  int64_t (*mono_us)(const deprov_connector_connection* connection);

  /* ---- calls */
  /** Ends a call; the first time counts. From any thread, also inside `start`, also after `close`. Copies.
   *  `problem` may be NULL. *Errors*: DEPROV_ERR_INVALID_ARGUMENT (a reply that says nothing sensible, with the
   * reason in `problem`: the call is still to be completed); DEPROV_ERR_CONFLICT (it was completed before);
   *  DEPROV_ERR_CLOSED (nobody waits any more). */
  int32_t (*call_complete)(deprov_connector_call* call, const deprov_connector_reply* reply,
                           deprov_connector_text* problem);
  /** 1 once it was asked to end soon. */
  int32_t (*call_is_cancelled)(const deprov_connector_call* call);
  /** One more owner; answers `call`. */
  deprov_connector_call* (*call_retain)(deprov_connector_call* call);
  /** One owner less; accepts NULL. The last one to let go of a call that was not completed completes it:
   *  UNKNOWN_OUTCOME for a change, INTERNAL for everything else. */
  void (*call_free)(deprov_connector_call* call);

  /* ---- HTTP */
  /** Begins an exchange on behalf of `call`. Copies. `done` is called exactly once, unless an error is answered;
   * by the thread that calls `start`, never inside this function, and at the latest before `close`. A call that is
   *  cancelled cancels its exchanges. *Errors*: DEPROV_ERR_INVALID_ARGUMENT, DEPROV_ERR_CLOSED. */
  int32_t (*http_send)(deprov_connector_call* call, const deprov_connector_http_request* request, void* user,
                       void (*done)(void* user, const deprov_connector_http_response* response));

  /* ---- checkpoints, since ABI 1.1: what is kept for the integration of `call`, durably, wherever its connector
   * runs next. They are no place for secrets: they are stored as they are. A call that is cancelled or complete
   * does not end them. At most ::DEPROV_CHECKPOINTS_AT_ONCE of a connection are under way.
   *
   * Both copy. `done` is called exactly once, unless an error is answered; by the thread that calls `start`, never
   * inside the function, and at the latest before `close`.
   * *Errors*, answered at once: DEPROV_ERR_INVALID_ARGUMENT (no call, no `done`, or a name that is empty or not of
   * visible ASCII characters), DEPROV_ERR_LIMIT_EXCEEDED (more than ::DEPROV_CHECKPOINT_NAME_BYTES or
   * ::DEPROV_CHECKPOINT_VALUE_BYTES), DEPROV_ERR_UNAVAILABLE (too many under way), DEPROV_ERR_UNSUPPORTED (this
   * host keeps nothing), DEPROV_ERR_CLOSED. */
  /** What was last kept under a name; `value` is good during the callback only. *Told*: DEPROV_OK,
   *  DEPROV_ERR_NOT_FOUND (nothing, with an empty `value` as for all that follows), DEPROV_ERR_UNAVAILABLE,
   *  DEPROV_ERR_CLOSED, DEPROV_ERR_INTERNAL. */
  int32_t (*checkpoint_get)(deprov_connector_call* call, deprov_str name, void* user,
                            void (*done)(void* user, int32_t status, deprov_str value));
  /** Keeps `value` in place of what was kept under that name; an empty one forgets it. Of two that are under way
   * the later one counts. *Told*: DEPROV_OK (it is kept for good), DEPROV_ERR_INVALID_ARGUMENT (a secret of the
   * configuration is in it: nothing was kept), DEPROV_ERR_LIMIT_EXCEEDED (there are ::DEPROV_CHECKPOINT_NAMES
   * names already), DEPROV_ERR_NOT_FOUND (the integration is gone), DEPROV_ERR_UNAVAILABLE and DEPROV_ERR_INTERNAL
   * (it cannot be said that it is kept), DEPROV_ERR_CLOSED (it was not waited for: it may be kept or not). */
  int32_t (*checkpoint_set)(deprov_connector_call* call, deprov_str name, deprov_str value, void* user,
                            void (*done)(void* user, int32_t status));
} deprov_connector_host_v1;

/** Functions of the connector. The table, and the texts in it, are there for as long as the process. */
typedef struct deprov_connector_table_v1 {
  size_t struct_size; /**< sizeof of the table as the connector knows it */
  uint32_t abi_minor; /**< ::DEPROV_CONNECTOR_ABI_MINOR as the connector was built */
  uint32_t reserved;  /**< 0 */
  deprov_str id;      /**< the manifest's */
  deprov_str version; /**< the manifest's */
  /** Opens the way to one app. The configuration fits the manifest's schema. Waits for nothing and sends nothing.
   *  On failure it answers another status than DEPROV_OK, with the reason in `problem` and nothing left behind.
   *  *Thread*: any; several connections may be opened at once. */
  int32_t (*open)(deprov_connector_connection* connection, void** instance, deprov_connector_text* problem);
  /** Ends what `open` made: waits for the connector's own threads, as far as they use `instance` or the
   * connection. No call is started or cancelled any more. *Thread*: any. */
  void (*close)(void* instance);
  /** Starts a call, which the connector owns from here on: it completes it, now or later, from any thread, and
   * lets go of it. It comes back soon, since one thread starts the calls of all connections. A call that is not
   * complete when its time and a grace of 5 s are over is answered for the connector: UNKNOWN_OUTCOME for a
   * change, DEADLINE for everything else. *Thread*: the engine's, one at a time. */
  void (*start)(void* instance, const deprov_connector_request* request, deprov_connector_call* call);
  /** May be NULL. Asks that a call end soon; `call` is borrowed. What it is completed with is still the truth.
   *  *Thread*: that of `start`. */
  void (*cancel)(void* instance, deprov_connector_call* call);
} deprov_connector_table_v1;

/** The one function that a connector exports. Called once in a process, before everything else. NULL: the
 * connector cannot work with this host. *Thread*: any. */
DEPROV_CONNECTOR_EXPORT const deprov_connector_table_v1* deprov_connector_entry_v1(
    const deprov_connector_host_v1* host);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* DEPROV_CONNECTOR_H */
