/**
 * @file deprov.h
 * The C interface of deprov, for programs that embed it. C99, needs nothing else, usable from C++.
 *
 * deprov notices that a person lost access in the identity provider (IdP), and makes sure that every connected
 * external app knows it: fast, exactly as decided, provably, and never by accident.
 *
 * **Names.** Every function is `deprov_<noun>_<verb>`. `_open` and `_new` hand out something that the caller owns
 * and frees with the `_free` of the same noun, which accepts NULL. What `_get` answers is borrowed: it belongs to
 * the handle it was asked of, and is good until that handle is freed, unless the function says otherwise.
 *
 * **Text** goes in as ::deprov_str, bytes with a length, UTF-8, and is copied. Text that comes out is borrowed, or
 * a ::deprov_buffer that the caller frees. A zero byte that is not counted follows the texts of errors, responses
 * and buffers, so that they may be printed; of other text it is not promised.
 *
 * **Results.** A function that can fail answers a ::deprov_status, ::DEPROV_OK being success. The last parameter
 * takes a ::deprov_error with the reason, or NULL if that is not wanted; it is set to NULL on success. Where a
 * function fails, nothing was done and its other outputs are NULL or 0, unless it says otherwise.
 *
 * **Structs** that go in begin with `struct_size`, which the caller sets to sizeof. All bytes zero is the safe
 * default.
 *
 * **Records** (integrations, jobs, activity and so on) are UTF-8 JSON, as the OpenAPI document at
 * `/api/v1/openapi.json` describes them. Readers should ignore members they do not know; what goes in is refused
 * if it has any.
 *
 * **Time.** Names carry the unit: `_ms` milliseconds, `_us` microseconds. A wall time is counted from
 * 1970-01-01T00:00:00Z.
 *
 * Any thread may call; a callback does not wait for its own engine; after fork() only the child of a process that
 * has opened no engine may use this library. There is a page each on @ref errors, @ref threading, @ref ownership
 * and @ref compatibility.
 */
#ifndef DEPROV_H
#define DEPROV_H

#include <stddef.h>
#include <stdint.h>

#if defined(DEPROV_CAPI_STATIC)
#define DEPROV_API
#else
#define DEPROV_API __attribute__((visibility("default"))) /**< what the library exports */
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Text and statuses ---- */

#ifndef DEPROV_STR
#define DEPROV_STR /**< ::deprov_str is declared, here or by the other header */
/** Bytes with a length. `ptr` may be NULL where `len` is 0. Its layout is frozen. */
typedef struct deprov_str {
  const char* ptr; /**< not promised to end with a zero byte */
  size_t len;      /**< in bytes */
} deprov_str;
#endif

/** What became of a call; one of the `DEPROV_*` macros below. New ones may be added: treat an unknown one as
 *  ::DEPROV_ERR_INTERNAL. */
typedef int32_t deprov_status;

#define DEPROV_OK 0 /**< it is done */
/* Input that cannot be understood or accepted (RFC 7644 section 3.12). */
#define DEPROV_ERR_INVALID_SYNTAX 1          /**< not the JSON, or not the form, that is taken here */
#define DEPROV_ERR_INVALID_FILTER 2          /**< a SCIM filter that cannot be understood */
#define DEPROV_ERR_INVALID_PATH 3            /**< the same of a path */
#define DEPROV_ERR_NO_TARGET 4               /**< a path that names nothing */
#define DEPROV_ERR_INVALID_VALUE 5           /**< one that is missing or of the wrong type */
#define DEPROV_ERR_MUTABILITY 6              /**< an attribute that cannot be changed */
#define DEPROV_ERR_UNIQUENESS 7              /**< somebody else has that value */
#define DEPROV_ERR_TOO_MANY 8                /**< more results than can be looked at */
#define DEPROV_ERR_INVALID_VERSION 9         /**< an unsupported version of the protocol */
#define DEPROV_ERR_SENSITIVE 10              /**< secrets in a query string */
#define DEPROV_ERR_INVALID_ARGUMENT 11       /**< a bad option, configuration or record */
#define DEPROV_ERR_LIMIT_EXCEEDED 12         /**< a size, depth or count over its bound, which the text names */
#define DEPROV_ERR_UNSUPPORTED_MEDIA_TYPE 13 /**< a body of another kind */
#define DEPROV_ERR_UNSUPPORTED 14            /**< known, and not offered here; or newer than this library */
#define DEPROV_ERR_INVALID_CURSOR 15         /**< not given out for this query, or these rows */
#define DEPROV_ERR_EXPIRED_CURSOR 16         /**< a cursor that was good once */
#define DEPROV_ERR_INVALID_COUNT 17          /**< a number of results that cannot be given */
/* Who asks, and for what. */
#define DEPROV_ERR_UNAUTHORIZED 40        /**< no token, or one that opens nothing */
#define DEPROV_ERR_FORBIDDEN 41           /**< the role, or the machine, does not allow it */
#define DEPROV_ERR_NOT_FOUND 42           /**< it is not there */
#define DEPROV_ERR_METHOD_NOT_ALLOWED 43  /**< the path has no such method */
#define DEPROV_ERR_CONFLICT 44            /**< the present state does not allow it */
#define DEPROV_ERR_PRECONDITION_FAILED 45 /**< `If-Match` and the like */
#define DEPROV_ERR_RATE_LIMITED 46        /**< too many requests: try again later */
/* The world. */
#define DEPROV_ERR_BUSY 60           /**< back-pressure: try again later, nothing was done */
#define DEPROV_ERR_IO 61             /**< disk or network */
#define DEPROV_ERR_STORAGE_FULL 62   /**< the disk is full */
#define DEPROV_ERR_STORE_VERSION 63  /**< the store was written by a newer deprov */
#define DEPROV_ERR_STORE_CORRUPT 64  /**< the store is damaged */
#define DEPROV_ERR_STORE_LOCKED 65   /**< another process has the data directory */
#define DEPROV_ERR_COMMIT_UNKNOWN 66 /**< whether it was stored is not known: read it first */
#define DEPROV_ERR_STALE_READ 67     /**< what it was decided on is no longer true */
#define DEPROV_ERR_FENCED 68         /**< another engine owns it now */
#define DEPROV_ERR_HELD_BY_GUARD 69  /**< a person has to decide first */
#define DEPROV_ERR_TIMEOUT 70        /**< the time that the caller gave ran out */
#define DEPROV_ERR_CANCELLED 71      /**< it was cancelled */
#define DEPROV_ERR_UNAVAILABLE 72    /**< not now: try again later */
#define DEPROV_ERR_PROTOCOL 73       /**< the other side does not keep to its protocol */
#define DEPROV_ERR_CLOSED 74         /**< the engine is closed, or what was asked for ended with it */
#define DEPROV_ERR_INTERNAL 75       /**< a fault of deprov */
/* Of this interface. */
#define DEPROV_ERR_WRONG_THREAD 100 /**< a callback may not wait for the engine that called it */
#define DEPROV_ERR_NO_MEMORY 101    /**< memory is exhausted */
#define DEPROV_END 200              /**< no failure: there is nothing more to be read */

/** The stable short name of a status, such as "not_found"; "unknown" for a number that is none. Static. */
DEPROV_API deprov_str deprov_status_get_name(deprov_status status);

/** Why something failed. Immutable. */
typedef struct deprov_error deprov_error;

/** Makes an error, for callbacks that answer one. The texts say what is wrong, where, and what to do about it;
 * each may be empty; bytes that are not UTF-8 become U+FFFD. NULL where `status` is ::DEPROV_OK, or where memory
 * is exhausted. */
DEPROV_API deprov_error* deprov_error_new(deprov_status status, deprov_str detail, deprov_str where,
                                          deprov_str advice);
/** ::DEPROV_OK for NULL. */
DEPROV_API deprov_status deprov_error_get_status(const deprov_error* error);
/** Everything in one line: `where: detail; advice`. Empty for NULL, like the next three. A zero byte follows each.
 */
DEPROV_API deprov_str deprov_error_get_message(const deprov_error* error);
/** What is wrong, as one sentence without a full stop. */
DEPROV_API deprov_str deprov_error_get_detail(const deprov_error* error);
/** Where: an option, an attribute, a file. */
DEPROV_API deprov_str deprov_error_get_where(const deprov_error* error);
/** What to do about it. */
DEPROV_API deprov_str deprov_error_get_advice(const deprov_error* error);
/** Accepts NULL, like every `_free`. */
DEPROV_API void deprov_error_free(deprov_error* error);

/** Bytes that the caller owns. */
typedef struct deprov_buffer deprov_buffer;

/** The bytes; empty for NULL. A zero byte that is not counted follows them. */
DEPROV_API deprov_str deprov_buffer_get(const deprov_buffer* buffer);
/** Accepts NULL. */
DEPROV_API void deprov_buffer_free(deprov_buffer* buffer);

/* ---- This library ---- */

#define DEPROV_ABI_MAJOR 0 /**< the version of this header */
#define DEPROV_ABI_MINOR 1 /**< the same */

/** The version of the library that is loaded, such as "0.1.0". Static. */
DEPROV_API deprov_str deprov_build_get_version(void);
/** What it was built from and what it has, as a JSON object: `version`, `abi`, `compiler`, `features` (an array of
 *  the names that deprov_build_has_feature() knows). Static. */
DEPROV_API deprov_str deprov_build_get_info(void);
/** 1 where the library has the feature, 0 where it has not, or where nobody knows it. Names are never given
 *  another meaning: "store.directory", "store.memory", "host_driven", "connector.host" (callbacks),
 *  "connector.plugin" (deprov_connector.h), "connector.scim", "connector.sandbox", "connector.null",
 * "source.rows", "evidence.verify", "checkpoints" (of callbacks). */
DEPROV_API int32_t deprov_build_has_feature(deprov_str name);

/* ---- Connectors of the host ---- */

/* Operations. A connector declares in its description which ones it has. */
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

/* What a change did, where its outcome is ::DEPROV_OUTCOME_OK. */
#define DEPROV_EFFECT_NONE 0     /**< nothing was to be changed: check, find, read, list */
#define DEPROV_EFFECT_DONE 1     /**< it was changed */
#define DEPROV_EFFECT_ALREADY 2  /**< the app was in the wanted state */
#define DEPROV_EFFECT_ACCEPTED 3 /**< the app works on it; `handle` names it for poll */

/* How far ::DEPROV_OUTCOME_THROTTLED reaches. */
#define DEPROV_THROTTLE_CONNECTION 0 /**< to all that is asked of the app */
#define DEPROV_THROTTLE_OPERATION 1  /**< to this operation */
#define DEPROV_THROTTLE_ACCOUNT 2    /**< to this account */

/** A kind of connector: what is named when an integration is made. */
typedef struct deprov_connector deprov_connector;
/** One call to a connector, until it is completed. Counted: it may outlive its engine. */
typedef struct deprov_call deprov_call;

/** What a connector consists of. */
typedef struct deprov_connector_callbacks {
  size_t struct_size;            /**< sizeof */
  void* user;                    /**< handed to each of the functions */
  void (*user_free)(void* user); /**< may be NULL */
  /** May be NULL: `instance` is NULL then. Opens the way to one app: `config` is the integration's config as JSON,
   *  which fits `config_schema`, with the secrets in clear; it is good during the call only. On failure it answers
   *  another status than ::DEPROV_OK and, if it likes, an error of deprov_error_new(), which it no longer owns.
   *  Called by any thread. */
  deprov_status (*open)(void* user, deprov_str config, void** instance, deprov_error** error);
  /** May be NULL. Ends what `open` made; no call is started or cancelled on it any more. Calls that were not
   *  completed by then complete without any consequence. Called by any thread. */
  void (*close)(void* user, void* instance);
  /** Starts `call`, which the connector owns from here on: it completes it, now or later, and frees it. It should
   *  come back soon, since one thread starts all calls of an engine. */
  void (*start)(void* user, void* instance, deprov_call* call);
  /** May be NULL. Asks that a call end soon. What it is completed with is still the truth: CANCELLED only where
   *  nothing was sent, UNKNOWN_OUTCOME where a change may have happened. `call` is borrowed. By the same thread
   *  as `start`; never for a call that was completed when the cancellation began, though another thread may
   * complete it meanwhile. */
  void (*cancel)(void* user, void* instance, deprov_call* call);
} deprov_connector_callbacks;

/** Makes a kind of connector. One may be given to several engines.
 *
 *  `description` is a JSON object: `id` (what integrations name, `[a-z0-9_-]{1,64}`), `name`, `version`,
 *  `config_schema` (a JSON Schema for the config), `secrets` (dotted paths of the config that are kept sealed),
 *  `own_account` (dotted paths of the config that name the account that the connection itself has in the app, by
 *  login or id: it is never taken away, and ::DEPROV_OUTCOME_PROTECTED is then the answer about it alone),
 *  `revoke_before_disable`, `rate` (`per_second`, `burst`, `max_concurrency`), and `operations`: an object with a
 *  member for each operation offered ("check", "find", "read", "list", "disable", "enable", "remove", "transfer",
 *  "revoke_sessions", "list_entitlements", "revoke_entitlement", "grant_entitlement", "poll") that says
 *  `reversible`, `idempotency` ("naturally", "by_key", "no"), `asynchrony` ("no", "poll", "fire_and_forget"),
 *  `verification` ("none", "read"), `verification_lag_ms`, `dangers` and `scopes` (arrays of texts). Only `id` and
 *  `operations` are needed. Absent means false, "no", "none", 0, empty, and for `rate` 16 calls at once.
 *
 *  *Ownership*: `callbacks` is copied; `user` passes on, whatever comes of it. It is freed after the handle, every
 *  engine it was given to, and every call are gone.
 *  *Errors*: ::DEPROV_ERR_INVALID_SYNTAX, ::DEPROV_ERR_INVALID_ARGUMENT naming the member. */
DEPROV_API deprov_status deprov_connector_new(deprov_str description, const deprov_connector_callbacks* callbacks,
                                              deprov_connector** connector, deprov_error** error);
/** Engines that have it keep it. Accepts NULL. */
DEPROV_API void deprov_connector_free(deprov_connector* connector);

/** One of the `DEPROV_OPERATION_*`; -1 for NULL, of which the next ones answer empty texts and 0. */
DEPROV_API int32_t deprov_call_get_operation(const deprov_call* call);
/** The account's id; empty for check, find and list. */
DEPROV_API deprov_str deprov_call_get_account(const deprov_call* call);
/** For find: the subject's externalId, exactly; may be empty. */
DEPROV_API deprov_str deprov_call_get_external_id(const deprov_call* call);
/** For find: the subject's userName, exactly; may be empty. */
DEPROV_API deprov_str deprov_call_get_user_name(const deprov_call* call);
/** For find: how many e-mail addresses the subject has. */
DEPROV_API size_t deprov_call_get_email_count(const deprov_call* call);
/** Empty beyond the last one. */
DEPROV_API deprov_str deprov_call_get_email(const deprov_call* call, size_t index);
/** For revoke_entitlement and grant_entitlement. */
DEPROV_API deprov_str deprov_call_get_entitlement(const deprov_call* call);
/** For remove: 1 the account itself, 0 its membership. */
DEPROV_API int32_t deprov_call_get_delete_account(const deprov_call* call);
/** For list: where to go on; empty: from the start. */
DEPROV_API deprov_str deprov_call_get_cursor(const deprov_call* call);
/** For list: how many accounts a page should have. */
DEPROV_API uint32_t deprov_call_get_page_size(const deprov_call* call);
/** For poll: what the change was accepted with. */
DEPROV_API deprov_str deprov_call_get_handle(const deprov_call* call);
/** The same for each attempt of one step. */
DEPROV_API deprov_str deprov_call_get_idempotency_key(const deprov_call* call);
/** How long the call may take; whoever needs longer completes it with ::DEPROV_OUTCOME_DEADLINE or
 *  ::DEPROV_OUTCOME_UNKNOWN_OUTCOME. */
DEPROV_API int64_t deprov_call_get_timeout_ms(const deprov_call* call);
/** 1 once it was asked to end soon. *Thread safety*: any thread. */
DEPROV_API int32_t deprov_call_is_cancelled(const deprov_call* call);

/** What a call is completed with. */
typedef struct deprov_reply {
  size_t struct_size; /**< sizeof */
  int32_t outcome;    /**< `DEPROV_OUTCOME_*` */
  int32_t effect;     /**< `DEPROV_EFFECT_*`, for a change that is ok */
  /** A JSON array of accounts, or empty: `id` (needed), `external_id`, `user_name`, `emails` and `groups` (arrays
   *  of texts), `active` (absent where the app does not say). For check, find, read, list; for a change what was
   * observed. check answers with any one account that the credential can see: only then is it believed that an
   * account is not there, and a removal of somebody without one is tried again. */
  deprov_str accounts;
  deprov_str next_cursor;  /**< list: empty at the end, and only then is the list complete */
  deprov_str handle;       /**< of an accepted change */
  int64_t retry_after_ms;  /**< how long the app wants to be left alone, where `has_retry_after` is not 0 */
  int32_t has_retry_after; /**< 0: it did not say */
  int32_t throttle_scope;  /**< `DEPROV_THROTTLE_*` */
  deprov_str detail; /**< for people; never a secret; bytes that are not UTF-8 become U+FFFD, and what is beyond
                          1000 bytes is cut off */
} deprov_reply;

/** Ends a call. The first time counts; the handle stays valid until it is freed. From any thread, also inside
 *  `start`, also after the engine was freed. *Thread safety*: any thread.
 *  *Errors*: ::DEPROV_ERR_INVALID_ARGUMENT (a reply that says nothing sensible: the call is still to be
 * completed);
 *  ::DEPROV_ERR_CONFLICT (it was completed before); ::DEPROV_ERR_CLOSED (nobody waits any more). */
DEPROV_API deprov_status deprov_call_complete(deprov_call* call, const deprov_reply* reply, deprov_error** error);
/** One more owner; answers `call`. *Thread safety*: any thread. */
DEPROV_API deprov_call* deprov_call_retain(deprov_call* call);
/** One owner less. The last one to let go of a call that was not completed completes it: UNKNOWN_OUTCOME for a
 *  change, INTERNAL for everything else. *Thread safety*: any thread. */
DEPROV_API void deprov_call_free(deprov_call* call);

/* What a connector keeps from one start to the next are checkpoints: small texts by name, of the integration of
 * `call` alone, durable, at most ::DEPROV_CHECKPOINT_NAMES of them. They go with the integration. They are no
 * place for secrets: they are stored as they are. A call that is cancelled or complete does not end them. At most
 * ::DEPROV_CHECKPOINTS_AT_ONCE of one instance are under way.
 *
 * Both copy. `done` is called exactly once, unless an error is answered: by the thread that calls `start`, never
 * inside the function, and at the latest before deprov_engine_free() returns, also where the instance was closed
 * before. It may not wait for the engine.
 * *Thread safety*: any thread; also after the engine was freed.
 * *Errors*: ::DEPROV_ERR_INVALID_ARGUMENT (no call, no `done`, a name that is empty or not of visible ASCII
 * characters, a value that is not UTF-8, or a secret of the configuration in name or value),
 * ::DEPROV_ERR_LIMIT_EXCEEDED (more than
 * ::DEPROV_CHECKPOINT_NAME_BYTES or ::DEPROV_CHECKPOINT_VALUE_BYTES), ::DEPROV_ERR_BUSY (too many under way),
 * ::DEPROV_ERR_CLOSED. */
#define DEPROV_CHECKPOINT_NAME_BYTES 100    /**< the most that the name of a checkpoint may have */
#define DEPROV_CHECKPOINT_VALUE_BYTES 65536 /**< the most that a checkpoint may have */
#define DEPROV_CHECKPOINT_NAMES 32          /**< the most checkpoints that one integration may have */
#define DEPROV_CHECKPOINTS_AT_ONCE 64       /**< the most that one instance may ask for and not have been told */
/** What was last kept under a name; `value` is good during the callback only. *Told*: ::DEPROV_OK,
 *  ::DEPROV_ERR_NOT_FOUND (nothing is kept), ::DEPROV_ERR_CLOSED, or what the store says. */
DEPROV_API deprov_status deprov_call_checkpoint_get(deprov_call* call, deprov_str name, void* user,
                                                    void (*done)(void* user, deprov_status status,
                                                                 deprov_str value),
                                                    deprov_error** error);
/** Keeps `value` in place of what was kept under that name; an empty one forgets it. Of two that are under way the
 *  later one counts. *Told*: ::DEPROV_OK (it is kept for good), ::DEPROV_ERR_LIMIT_EXCEEDED (there are
 *  ::DEPROV_CHECKPOINT_NAMES names already), ::DEPROV_ERR_NOT_FOUND (the integration is gone), ::DEPROV_ERR_CLOSED
 *  (it was not waited for: it may be kept or not), or what the store says. */
DEPROV_API deprov_status deprov_call_checkpoint_set(deprov_call* call, deprov_str name, deprov_str value,
                                                    void* user, void (*done)(void* user, deprov_status status),
                                                    deprov_error** error);

/* ---- The engine ---- */

#define DEPROV_STORE_DIRECTORY 0 /**< durable, in `directory`; one process at a time has it */
#define DEPROV_STORE_MEMORY 1    /**< ends with the engine; for tests and trials */

#define DEPROV_KEY_DEFAULT 0  /**< `master.key` in the directory, made when absent; in memory: one of chance */
#define DEPROV_KEY_FILE 1     /**< 32 bytes in `key_file`, made when absent and the store is new */
#define DEPROV_KEY_BYTES 2    /**< the 32 bytes of `key_bytes` */
#define DEPROV_KEY_CALLBACK 3 /**< `key` is asked, once, during deprov_engine_open() */

#define DEPROV_LOG_INFO 0    /**< what is normal */
#define DEPROV_LOG_WARNING 1 /**< what somebody should look at */
#define DEPROV_LOG_ERROR 2   /**< what does not work */

#define DEPROV_PLACEMENT_IN_PROCESS 0 /**< in the process of the engine */
#define DEPROV_PLACEMENT_WORKER 1     /**< in a process of its own, for each connection */

/** A plugin that is loaded, if it has these bytes. Its layout is frozen. */
typedef struct deprov_plugin_file {
  deprov_str path;   /**< absolute; the manifest lies beside it */
  deprov_str sha256; /**< 64 hexadecimal digits */
} deprov_plugin_file;

/** How an engine is opened. */
typedef struct deprov_engine_options {
  size_t struct_size;   /**< sizeof */
  int32_t store;        /**< `DEPROV_STORE_*` */
  int32_t must_exist;   /**< not 0: a directory without a store is ::DEPROV_ERR_NOT_FOUND instead of getting one */
  deprov_str directory; /**< for ::DEPROV_STORE_DIRECTORY; made where it is absent */
  int32_t look_only;    /**< not 0: jobs are left alone; for looking and managing only */
  int32_t key_source;   /**< `DEPROV_KEY_*`: the master key, which seals the secrets of connections */
  deprov_str key_file;  /**< for ::DEPROV_KEY_FILE */
  deprov_str key_bytes; /**< for ::DEPROV_KEY_BYTES */
  /** Writes 32 bytes to `key`. Any status but ::DEPROV_OK is what deprov_engine_open() answers;
   *  ::DEPROV_ERR_INTERNAL for one that is none of the world, of the input or of who asks. */
  deprov_status (*key)(void* user, uint8_t* key);
  void* key_user;                    /**< handed to `key` */
  void (*key_user_free)(void* user); /**< may be NULL */
  /** NULL: the machine's clock. Wall time in microseconds; from any thread; it calls nothing here. Timers follow
   * the machine's monotonic clock in any case, so a wall clock that jumps changes dates, and what is due by date
   * when that is next looked at. */
  int64_t (*clock)(void* user);
  void* clock_user;                    /**< handed to `clock` */
  void (*clock_user_free)(void* user); /**< may be NULL */
  /** NULL: nothing is logged. What happens to people and apps is on the activity, not here; this tells of the
   *  engine's opening and closing, of faults in the host's callbacks, and what plugins log. `level` is one of
   * `DEPROV_LOG_*`. From any thread; never with a secret. */
  void (*log)(void* user, int32_t level, deprov_str message);
  void* log_user;                    /**< handed to `log` */
  void (*log_user_free)(void* user); /**< may be NULL */
  /** Not 0: no thread of deprov runs, but one for HTTP once a connector that came with deprov sends something. The
   *  host calls deprov_engine_pump(), and the store waits for the disk in there. */
  int32_t host_driven;
  uint32_t store_readers;                    /**< threads that read a store in a directory; 0: two */
  const deprov_connector* const* connectors; /**< besides those that came with deprov; used, not taken over */
  size_t connector_count;                    /**< of `connectors` */
  const deprov_str* plugin_directories;      /**< absolute: their plugins (`*.so` and `*.json`) are loaded */
  size_t plugin_directory_count;             /**< of `plugin_directories` */
  const deprov_plugin_file* plugin_files;    /**< single plugins, by their hash */
  size_t plugin_file_count;                  /**< of `plugin_files` */
  /** Absolute: `deprov-connector-worker`, which comes with deprov. Plugins whose integration has the setting
   *  `placement` "worker" run in it, each connection in a process and with a thread of its own, also where the
   * host drives. Empty: none does. */
  deprov_str plugin_worker;
  int32_t plugin_placement; /**< `DEPROV_PLACEMENT_*`: of integrations whose settings do not say */
  int32_t reserved;         /**< 0 */
  /* What the kernel ends a worker for, or refuses to it. */
  uint64_t worker_memory_bytes; /**< of address space; 0: 4 GiB */
  uint32_t worker_cpu_seconds;  /**< without a new call in between; 0: 60 */
  uint32_t worker_files;        /**< open descriptors; 0: 256 */
  uint32_t worker_calls;        /**< in flight at once, the others wait in the host; 0: 64 */
  uint32_t worker_reserved;     /**< 0 */
  /** NULL: nothing is recorded. Is told of each HTTP exchange of a plugin's connector that has ended, whatever
   * came of it: a JSON object (`schemas/connector-recording.schema.json`) without credentials, but with what else
   * bodies say of people. On the engine's thread, which waits meanwhile; it calls nothing here. */
  void (*plugin_record)(void* user, deprov_str exchange);
  void* plugin_record_user;                    /**< handed to `plugin_record` */
  void (*plugin_record_user_free)(void* user); /**< may be NULL */
  /** In place of `store` and `directory`, for hosts that have it in one setting: "file:///DIRECTORY", with what is
   *  special in it percent-encoded (RFC 8089), or "memory:". ::DEPROV_ERR_UNSUPPORTED for any other scheme. */
  deprov_str store_url;
} deprov_engine_options;

/** A running engine. *Thread safety*: any thread. */
typedef struct deprov_engine deprov_engine;

/** Opens an engine, and waits until it runs.
 *  *Ownership*: the three `user`s pass on, whatever comes of it. Connectors stay the caller's.
 *  *Errors*: ::DEPROV_ERR_STORE_LOCKED, ::DEPROV_ERR_STORE_VERSION, ::DEPROV_ERR_NOT_FOUND, ::DEPROV_ERR_IO,
 *  ::DEPROV_ERR_FORBIDDEN (others may read the key file, or write a plugin; a plugin has another hash),
 *  ::DEPROV_ERR_UNSUPPORTED (a plugin of another ABI), ::DEPROV_ERR_UNIQUENESS (two connectors of one id),
 *  ::DEPROV_ERR_INVALID_ARGUMENT naming the option, or the plugin. */
DEPROV_API deprov_status deprov_engine_open(const deprov_engine_options* options, deprov_engine** engine,
                                            deprov_error** error);

/** Closes in order, within `deadline_ms`: takes no further requests, asks calls to connectors to end soon, waits
 * for them and for requests under way. What is left then ends as ::DEPROV_ERR_CANCELLED, and bodies that were not
 * read to their end answer ::DEPROV_ERR_CLOSED. Completions that were not taken can still be taken. Twice is once.
 *
 *  `report`, unless NULL, gets a JSON object: `requests` (tokens, as texts) and `calls` (objects with `connector`,
 *  `operation`, `account`) that had not ended; both empty where everything had.
 *  *Errors*: ::DEPROV_ERR_TIMEOUT where something is left: the engine is closed all the same, the report is given,
 *  and what the calls did is read back at the next start. */
DEPROV_API deprov_status deprov_engine_close(deprov_engine* engine, int64_t deadline_ms, deprov_buffer** report,
                                             deprov_error** error);
/** Closes with a deadline of ten seconds where that was not done, and lets go of everything. Not by a callback of
 *  the engine. */
DEPROV_API void deprov_engine_free(deprov_engine* engine);

/** For `host_driven`: runs what is ready, for about `budget_ms`; at least one piece of work. `wait_ms` gets how
 * long there will be nothing to do unless the descriptor becomes readable: 0 where work is left, INT64_MAX where
 * only the descriptor can tell. Where another thread pumps, nothing is done. Functions that wait pump, too.
 *  *Errors*: ::DEPROV_ERR_WRONG_THREAD, ::DEPROV_ERR_UNSUPPORTED (not `host_driven`). */
DEPROV_API deprov_status deprov_engine_pump(deprov_engine* engine, int64_t budget_ms, int64_t* wait_ms,
                                            deprov_error** error);
/** For `host_driven`: readable whenever there is something to pump; to be waited on, and nothing else. -1
 *  otherwise. */
DEPROV_API int32_t deprov_engine_get_pump_descriptor(const deprov_engine* engine);

/* ---- Requests: SCIM, the admin API, health and metrics ---- */

/** One header. Its layout is frozen. */
typedef struct deprov_header {
  deprov_str name;  /**< in any case */
  deprov_str value; /**< without spaces around it */
} deprov_header;

#define DEPROV_AS_TOKEN 0 /**< whoever the request's own `Authorization` says */
#define DEPROV_AS_LOCAL 1 /**< the local administrator, without a token; for paths below /api/v1 */

/** A request as an HTTP server got it. */
typedef struct deprov_request {
  size_t struct_size; /**< sizeof */
  int32_t as;         /**< `DEPROV_AS_*` */
  int32_t reserved;   /**< 0 */
  deprov_str method;  /**< upper case; a token of at most 64 bytes (RFC 9110 section 9.1) */
  deprov_str target;  /**< path and query: `/scim/v2/{integration}/...`, `/api/v1/...`, `/healthz`, `/metrics` */
  const deprov_header* headers; /**< may be NULL where there are none */
  size_t header_count;          /**< of `headers` */
  deprov_str body;              /**< may be empty */
  deprov_str peer;      /**< address of the client, for the activity; /metrics is for 127.0.0.0/8 and ::1 */
  deprov_str workspace; /**< for ::DEPROV_AS_LOCAL: whose; empty: none, which is enough to make one */
  /** SCIM id of the User who is behind the request, where the host has authenticated one: `/Me` is an alias of it
      (RFC 7644 section 3.11). Gives no access: the token does. Empty: nobody. */
  deprov_str subject;
} deprov_request;

/** The answer. What SCIM and the admin API refuse is an answer, too: see the status. */
typedef struct deprov_response deprov_response;

/** The HTTP status; 0 for NULL. */
DEPROV_API int32_t deprov_response_get_status(const deprov_response* response);
/** 0 for NULL. */
DEPROV_API size_t deprov_response_get_header_count(const deprov_response* response);
/** Empty texts beyond the last one. */
DEPROV_API deprov_header deprov_response_get_header(const deprov_response* response, size_t index);
/** The whole body, or empty where it comes in pieces. A zero byte that is not counted follows. */
DEPROV_API deprov_str deprov_response_get_body(const deprov_response* response);
/** 1 where the body comes in pieces of unknown number: large lists, exports, and activity that is followed. */
DEPROV_API int32_t deprov_response_is_streaming(const deprov_response* response);
/** Waits for the next piece of a body. `piece` is good until the next call on this response.
 *  *Errors*: ::DEPROV_END (that was all); ::DEPROV_ERR_TIMEOUT (no piece yet, and none is lost: ask again);
 *  ::DEPROV_ERR_CLOSED, ::DEPROV_ERR_WRONG_THREAD, ::DEPROV_ERR_INVALID_ARGUMENT (the body does not come in
 * pieces). */
DEPROV_API deprov_status deprov_response_read(deprov_response* response, int64_t timeout_ms, deprov_str* piece,
                                              deprov_error** error);
/** Asks for the next piece without waiting. The engine's queue gets an event ::DEPROV_EVENT_PIECE with `user` when
 *  deprov_response_read() would not wait. One at a time.
 *  *Errors*: as deprov_response_read(); ::DEPROV_ERR_CONFLICT (it was asked for already). */
DEPROV_API deprov_status deprov_response_want(deprov_response* response, void* user, deprov_error** error);
/** Ends the work behind a body that was not read to its end. Allowed after the engine was freed. */
DEPROV_API void deprov_response_free(deprov_response* response);

/** Carries a request out and waits for the answer.
 *  *Errors*: ::DEPROV_ERR_CLOSED, ::DEPROV_ERR_WRONG_THREAD, ::DEPROV_ERR_INVALID_ARGUMENT,
 *  ::DEPROV_ERR_UNSUPPORTED (members that are newer than this library), ::DEPROV_ERR_LIMIT_EXCEEDED (64 KiB of
 *  target, 256 headers of 256 KiB together, 64 MiB of body). A workspace that is not there is an answer: 404. */
DEPROV_API deprov_status deprov_engine_call(deprov_engine* engine, const deprov_request* request,
                                            deprov_response** response, deprov_error** error);
/** Begins a request; its answer comes through deprov_engine_next(), with `user` and the token.
 *  *Errors*: as deprov_engine_call(), and ::DEPROV_ERR_BUSY (65536 are under way or not taken yet). */
DEPROV_API deprov_status deprov_engine_send(deprov_engine* engine, const deprov_request* request, void* user,
                                            uint64_t* token, deprov_error** error);
/** Nobody waits for this request any more: its event comes at once, with ::DEPROV_ERR_CANCELLED. What was asked
 * for may happen all the same. *Errors*: ::DEPROV_ERR_NOT_FOUND (it has ended). */
DEPROV_API deprov_status deprov_engine_cancel(deprov_engine* engine, uint64_t token, deprov_error** error);

#define DEPROV_EVENT_RESPONSE 1 /**< a request of deprov_engine_send() has ended */
#define DEPROV_EVENT_PIECE 2    /**< a piece of a body can be read */
#define DEPROV_EVENT_ROW 3      /**< a row can be read, or it can be read that there is none */

/** Something that ended. Its layout is frozen. */
typedef struct deprov_event {
  int32_t kind;              /**< `DEPROV_EVENT_*`; ignore those you do not know */
  deprov_status status;      /**< ::DEPROV_OK, or why there is no response */
  uint64_t token;            /**< of deprov_engine_send() or deprov_rows_want() */
  void* user;                /**< of whatever began it */
  deprov_response* response; /**< yours to free; NULL where there is none */
  uint64_t reserved[2];      /**< 0 */
} deprov_event;

/** Takes up to `count` events, waiting up to `timeout_ms` for the first. `taken` gets how many.
 *  *Ownership*: the caller frees the responses in them.
 *  *Errors*: ::DEPROV_ERR_TIMEOUT (none came), ::DEPROV_ERR_CLOSED (the engine is closed, and all were taken),
 *  ::DEPROV_ERR_WRONG_THREAD (not with a timeout of 0). */
DEPROV_API deprov_status deprov_engine_next(deprov_engine* engine, deprov_event* events, size_t count,
                                            int64_t timeout_ms, size_t* taken, deprov_error** error);
/** deprov_engine_send() and deprov_engine_next() in one: begins a request, and takes what has ended, which is its
 *  answer where that comes soon. Whoever waits for the descriptor is not woken for what is taken here. Where the
 *  time runs out, or the engine is closed meanwhile, `taken` is 0, and that is no failure: the request was begun.
 *  *Errors*: as deprov_engine_send(); ::DEPROV_ERR_WRONG_THREAD (not with a timeout of 0): nothing was begun. */
DEPROV_API deprov_status deprov_engine_ask(deprov_engine* engine, const deprov_request* request, void* user,
                                           uint64_t* token, deprov_event* events, size_t count, int64_t timeout_ms,
                                           size_t* taken, deprov_error** error);
/** Readable while deprov_engine_next() would not wait and nobody is in there; to be waited on, and nothing
 * else. Good until the engine is freed. -1 where the system has none left. */
DEPROV_API int32_t deprov_engine_get_event_descriptor(const deprov_engine* engine);

/* ---- Managing ---- */

/** Who manages. NULL in its place, or nothing set but `struct_size`: the local administrator without a workspace.
 */
typedef struct deprov_caller {
  size_t struct_size;   /**< sizeof */
  deprov_str workspace; /**< the local administrator of this workspace */
  deprov_str token;     /**< or: the principal whose token this is, in its own workspace */
} deprov_caller;

/** One call of the admin API; everything that `deprov` can do on the command line is there, described by
 *  `GET /openapi.json`. `path` is below `/api/v1`, such as `/jobs?unfinished=true`; `body` is JSON, or empty.
 * Waits. `record` gets what was answered, NULL where that is nothing; the parameter may be NULL. *Errors*: those
 * that the API answers, with the API's own words; ::DEPROV_ERR_UNSUPPORTED for an answer that comes in pieces (use
 * deprov_engine_call()); ::DEPROV_ERR_CLOSED, ::DEPROV_ERR_WRONG_THREAD. */
DEPROV_API deprov_status deprov_admin_call(deprov_engine* engine, const deprov_caller* by, deprov_str method,
                                           deprov_str path, deprov_str body, deprov_buffer** record,
                                           deprov_error** error);
/** Makes a workspace with its first owner. `record` (may be NULL) gets `id`, `name`, `owner` and `owner_token`,
 *  which is shown this once. *Errors*: as deprov_admin_call(). */
DEPROV_API deprov_status deprov_workspace_create(deprov_engine* engine, deprov_str name, deprov_str owner,
                                                 deprov_buffer** record, deprov_error** error);
/** Makes an integration of a record: `name`, `idp`, `connector`, `config`, and optionally `policy`, `settings`,
 *  `schemas`, `resource_types`, `check`. `record` (may be NULL) gets `id`, `scim_base_path` and `scim_token`,
 * which is shown this once. *Errors*: as deprov_admin_call(). */
DEPROV_API deprov_status deprov_integration_create(deprov_engine* engine, const deprov_caller* by,
                                                   deprov_str integration, deprov_buffer** record,
                                                   deprov_error** error);
/** The text of one member of a JSON object: a string without its quotes, everything else as JSON. For programs
 * that need the id or token of a record and no JSON library. `value` is yours to free. *Errors*:
 * ::DEPROV_ERR_NOT_FOUND, ::DEPROV_ERR_INVALID_SYNTAX. */
DEPROV_API deprov_status deprov_record_get(deprov_str record, deprov_str member, deprov_buffer** value,
                                           deprov_error** error);

/** Records one after the other, read a page at a time. */
typedef struct deprov_rows deprov_rows;

/** Subjects of an integration, in the order of their ids: that of their creation, to the millisecond. */
#define DEPROV_ROWS_SUBJECTS 1
/** Jobs, the newest first; of one integration, or of all. */
#define DEPROV_ROWS_JOBS 2
/** The activity of one integration, or (no integration) of acts on the workspace, the oldest first. */
#define DEPROV_ROWS_ACTIVITY 3
/** Holds of an integration, the newest first. */
#define DEPROV_ROWS_HOLDS 4
/** What there is to tell people (removals verified or failed, holds, approvals, objectives, pauses, sources) of
 *  one integration, or (no integration) of the workspace itself, the oldest first; several records of a kind may
 *  come as one (`count`). Whoever keeps the restart of what was dealt with misses nothing, and sees again, with
 *  the same `id`, only what was read and not dealt with. */
#define DEPROV_ROWS_NOTIFICATIONS 5

/** Which rows. */
typedef struct deprov_rows_options {
  size_t struct_size;     /**< sizeof */
  int32_t kind;           /**< `DEPROV_ROWS_*` */
  uint32_t page;          /**< rows that are read at once, 1000 at most; 0: 200 */
  deprov_str integration; /**< its id */
  deprov_str restart;     /**< of deprov_rows_get_restart(): go on after that row */
  deprov_str filter; /**< more query parameters of the list, such as `state=failed`; already encoded for URLs */
} deprov_rows_options;

/** Begins to read rows; nothing is read yet.
 *  *Errors*: ::DEPROV_ERR_INVALID_ARGUMENT, ::DEPROV_ERR_INVALID_CURSOR (a restart that is none of this kind). */
DEPROV_API deprov_status deprov_rows_open(deprov_engine* engine, const deprov_caller* by,
                                          const deprov_rows_options* options, deprov_rows** rows,
                                          deprov_error** error);
/** The next row, as JSON; good until the next call on these rows. Waits.
 *  *Errors*: ::DEPROV_END: there are no more. Activity and notifications may have grown when they are asked again,
 *  and go on then.
 *  Otherwise as deprov_admin_call(); the same row is read when it is asked again. */
DEPROV_API deprov_status deprov_rows_next(deprov_rows* rows, deprov_str* row, deprov_error** error);
/** Asks for the next row without waiting. Where deprov_rows_next() would not wait now, `token` gets 0 and no event
 *  comes; otherwise the engine's queue gets an event ::DEPROV_EVENT_ROW with `user` and the token, once that is
 * so. One at a time. deprov_engine_cancel() ends it; a row that was on its way is none the less the next one. The
 * rows may be freed meanwhile; the event comes all the same. *Errors*: ::DEPROV_ERR_CONFLICT (it was asked for
 * already), ::DEPROV_ERR_CLOSED, ::DEPROV_ERR_BUSY (as deprov_engine_send()). */
DEPROV_API deprov_status deprov_rows_want(deprov_rows* rows, void* user, uint64_t* token, deprov_error** error);
/** Where these rows are: what `restart` takes, in this process or in another, today or later. Empty before the
 *  first row. That of notifications also gets past activity that tells nothing. Good until the next
 * call on these rows. */
DEPROV_API deprov_str deprov_rows_get_restart(const deprov_rows* rows);
/** Accepts NULL. Allowed after the engine was freed. */
DEPROV_API void deprov_rows_free(deprov_rows* rows);

/* ---- Lists of sources ---- */

/* A source is where changes come from besides SCIM push. Sources are made, shown, changed and removed by
 * deprov_admin_call(), with the paths `/integrations/{integration}/sources` and
 * `/integrations/{integration}/sources/{source}`; the rows of one of kind "rows" come from the host, as follows. A
 * list with `dry_run` is compared and changes nothing; bytes of a list that is a file go to
 * `PUT /lists/{list}/bytes`. */

/** One user of a list. Its layout is frozen. */
typedef struct deprov_list_user {
  /** The source's immutable id, never empty: the externalId of a subject, unless the source's config says `link`
   * or `links`. */
  deprov_str id;
  deprov_str external_id; /**< may be empty, like the next two */
  deprov_str user_name;   /**< the login */
  deprov_str email;       /**< one address */
  int32_t inactive;       /**< not 0: in the list, and has no access by it */
  int32_t reserved;       /**< 0 */
} deprov_list_user;

/** A list on its way: the whole of who has access, as a source knows it. What it changes is decided when its end
 * was seen, and judged as one unit. One that has no end, is empty, has a user twice, or another count than its
 * source says, ends nobody's access. */
typedef struct deprov_list deprov_list;

/** Which list. */
typedef struct deprov_list_options {
  size_t struct_size;     /**< sizeof */
  deprov_str integration; /**< its id */
  deprov_str source;      /**< its id; of kind "rows" */
  int32_t dry_run;        /**< not 0: tell what would happen, and store nothing */
  uint32_t differences;   /**< how many of them the report lists, at most 10000; 0: 1000 */
  /** When whoever made the list began to read it, so that what SCIM push showed after that counts; 0: now. */
  int64_t begun_us;
} deprov_list_options;

/** A list begins; one of the same source that had begun before and has not ended is given up. Waits.
 *  *Errors*: ::DEPROV_ERR_NOT_FOUND, ::DEPROV_ERR_FORBIDDEN (the role), ::DEPROV_ERR_CONFLICT (changes of the last
 *  list are being carried out; a list that was read later is the last one), ::DEPROV_ERR_BUSY (8 lists are being
 *  read, or 4 of the workspace), ::DEPROV_ERR_CLOSED, ::DEPROV_ERR_WRONG_THREAD. */
DEPROV_API deprov_status deprov_list_begin(deprov_engine* engine, const deprov_caller* by,
                                           const deprov_list_options* options, deprov_list** list,
                                           deprov_error** error);
/** The list that `POST /integrations/{integration}/sources/{source}/lists` began, by its id, with no user yet: for
 *  those who cannot wait. *Errors*: ::DEPROV_ERR_INVALID_ARGUMENT; that there is none, the next call says. */
DEPROV_API deprov_status deprov_list_open(deprov_engine* engine, const deprov_caller* by, deprov_str id,
                                          deprov_list** list, deprov_error** error);
/** The id of the list. Good until it is freed. */
DEPROV_API deprov_str deprov_list_get_id(const deprov_list* list);
/** How many users it has. */
DEPROV_API uint64_t deprov_list_get_count(const deprov_list* list);
/** The next users, at most 10000 at once. Waits. What cannot be read here (::DEPROV_ERR_INVALID_ARGUMENT naming
 * the user, ::DEPROV_ERR_LIMIT_EXCEEDED) was not added. What the list refuses of a user (no id, a text that is too
 * long) stays: it cannot become complete any more. A user who is in it twice is found at its end. *Errors*:
 * ::DEPROV_ERR_NOT_FOUND (it has ended or was given up, as one is that gets nothing for ten minutes),
 *  ::DEPROV_ERR_CONFLICT (another call on this list is under way), ::DEPROV_ERR_FORBIDDEN,
 *  ::DEPROV_ERR_UNAUTHORIZED, ::DEPROV_ERR_CLOSED, ::DEPROV_ERR_WRONG_THREAD; why a user is refused. */
DEPROV_API deprov_status deprov_list_add(deprov_list* list, const deprov_list_user* users, size_t count,
                                         deprov_error** error);
/** It is over. `count` points at how many users there should be, where the source counts them; NULL where it does
 *  not, which a source needs the config `whole` for. Waits. `report` (may be NULL) gets what differs and what
 *  follows, a `ListReport` of the OpenAPI document. *Errors*: why the list is not complete;
 *  ::DEPROV_ERR_CONFLICT (another list of the source was stored meanwhile). The list has ended, whatever comes of
 *  it, unless another call on it is under way (::DEPROV_ERR_CONFLICT, too). */
DEPROV_API deprov_status deprov_list_end(deprov_list* list, const uint64_t* count, deprov_buffer** report,
                                         deprov_error** error);
/** It will not come to its end; nothing follows from that. Where it could not be read, `failure` says why (at most
 *  1000 bytes, of which those that are not UTF-8 become U+FFFD), and that is a failure of the source: what was
 * inferred from it waits. Waits. */
DEPROV_API deprov_status deprov_list_give_up(deprov_list* list, deprov_str failure, deprov_error** error);

#define DEPROV_LIST_ADD 0     /**< as deprov_list_add() */
#define DEPROV_LIST_END 1     /**< as deprov_list_end() */
#define DEPROV_LIST_GIVE_UP 2 /**< as deprov_list_give_up() */

/** What deprov_list_send() begins. */
typedef struct deprov_list_step {
  size_t struct_size;            /**< sizeof */
  int32_t kind;                  /**< `DEPROV_LIST_*` */
  int32_t has_count;             /**< not 0: `count` says something */
  const deprov_list_user* users; /**< to be added */
  size_t user_count;             /**< of `users` */
  uint64_t count;                /**< for the end */
  deprov_str failure;            /**< for giving up */
} deprov_list_step;

/** One of the three without waiting. It ends as ::DEPROV_EVENT_RESPONSE, with what the admin API answers in its
 *  place: 200 with `{"offset": ...}` or a report, 204, or a refusal in its words.
 *  *Errors*: ::DEPROV_ERR_CONFLICT (another call on this list is under way), ::DEPROV_ERR_BUSY (as
 *  deprov_engine_send()), ::DEPROV_ERR_INVALID_ARGUMENT, ::DEPROV_ERR_CLOSED. */
DEPROV_API deprov_status deprov_list_send(deprov_list* list, const deprov_list_step* step, void* user,
                                          uint64_t* token, deprov_error** error);
/** A list that has not ended is given up. Accepts NULL. Allowed after the engine was freed. */
DEPROV_API void deprov_list_free(deprov_list* list);

/* ---- Evidence ---- */

/** Checks an export of evidence: without its store, without an engine, whoever made it. */
typedef struct deprov_verifier deprov_verifier;

/** What an export is held against. */
typedef struct deprov_verifier_options {
  size_t struct_size;         /**< sizeof */
  deprov_str manifest_sha256; /**< 64 hexadecimal digits that were noted elsewhere; or empty */
  /** A manifest (JSON) of an earlier export of the same chains, whose heads have to be there unchanged; or empty.
   */
  deprov_str earlier;
} deprov_verifier_options;

/** `options` may be NULL. *Errors*: ::DEPROV_ERR_INVALID_ARGUMENT, ::DEPROV_ERR_INVALID_SYNTAX,
 *  ::DEPROV_ERR_STORE_CORRUPT (the manifest is not whole). */
DEPROV_API deprov_status deprov_verifier_new(const deprov_verifier_options* options, deprov_verifier** verifier,
                                             deprov_error** error);
/** The next bytes of the export, in pieces of any size: the JSON Lines of `GET /evidence` and of `deprov evidence
 *  export`. *Errors*: ::DEPROV_ERR_CLOSED (it was finished). What is wrong with the bytes, the report says. */
DEPROV_API deprov_status deprov_verifier_feed(deprov_verifier* verifier, deprov_str bytes, deprov_error** error);
/** The end. `holds` (may be NULL) gets 1 where no record was edited, removed, inserted or reordered and the export
 *  is whole, and 0 otherwise. `report` (may be NULL) gets a JSON object: `holds`, `chains`, `records`, `details`,
 *  `details_deleted`, `manifest_sha256`, `problem_count`, and `problems`, the first 1000, each with `kind`
 * (edited, removed, inserted, reordered, truncated, unreadable, manifest), `integration`, `chain`, `seq` and
 * `last_seq` (which records), `line`, and `what` for people. That the export does not hold is no failure of this
 * function. *Errors*: ::DEPROV_ERR_CLOSED (it was finished). */
DEPROV_API deprov_status deprov_verifier_finish(deprov_verifier* verifier, int32_t* holds, deprov_buffer** report,
                                                deprov_error** error);
/** Accepts NULL. */
DEPROV_API void deprov_verifier_free(deprov_verifier* verifier);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* DEPROV_H */
