package deprov

// #include "shim.h"
import "C"

import (
	"context"
	"encoding/json"
	"time"
)

// Connector is the code for one kind of app. It goes into Options.Connectors, of one engine or of several.
type Connector interface {
	// Describe is asked once, by Open.
	Describe() Description
	// Connect opens the way to one app. The config is that of the integration, which fits Description.ConfigSchema,
	// with the secrets in clear. It should not wait for the app: OpCheck does. Called by any goroutine.
	//
	// An error is shown to whoever makes the integration; one that wraps a Status keeps it.
	Connect(config json.RawMessage) (Connection, error)
}

// Connection is one configured instance of a connector. Where it is an io.Closer, too, it is closed once: after its
// last call has come back.
type Connection interface {
	// Call carries an operation out. Each call has a goroutine of its own, at most Rate.MaxConcurrency at once; it may
	// take its time (but see Description.Inline). The context ends when the time for the call is over, or when the engine asks it to end soon.
	//
	// What it answers is the truth about the app. Without an error the outcome is OK. An error that is an *OutcomeError
	// says the outcome. Of every other one, and of a panic, it is not known whether the app was reached: a change is
	// an unknown outcome, which is read back before it is repeated; the rest is OutcomeUnavailable.
	// An error's text is shown to people: no secrets in it.
	Call(ctx context.Context, call *Call) (Reply, error)
}

// Operation is what a connector can be asked to do.
type Operation int32

const (
	// OpCheck: reachable, credential good, able to see accounts. It answers with any one account that there is: only then is
	// it believed that an account is not there, and a removal of somebody without one is tried again.
	OpCheck             Operation = C.DEPROV_OPERATION_CHECK
	OpFind              Operation = C.DEPROV_OPERATION_FIND // accounts that match a subject exactly
	OpRead              Operation = C.DEPROV_OPERATION_READ // one account by its immutable id
	OpList              Operation = C.DEPROV_OPERATION_LIST // a page of all accounts
	OpDisable           Operation = C.DEPROV_OPERATION_DISABLE
	OpEnable            Operation = C.DEPROV_OPERATION_ENABLE
	OpRemove            Operation = C.DEPROV_OPERATION_REMOVE // the membership, or the account: Call.DeleteAccount
	OpTransfer          Operation = C.DEPROV_OPERATION_TRANSFER
	OpRevokeSessions    Operation = C.DEPROV_OPERATION_REVOKE_SESSIONS
	OpListEntitlements  Operation = C.DEPROV_OPERATION_LIST_ENTITLEMENTS
	OpRevokeEntitlement Operation = C.DEPROV_OPERATION_REVOKE_ENTITLEMENT
	OpGrantEntitlement  Operation = C.DEPROV_OPERATION_GRANT_ENTITLEMENT
	OpPoll              Operation = C.DEPROV_OPERATION_POLL // what became of a change that was accepted
)

var operationNames = [...]string{"check", "find", "read", "list", "disable", "enable", "remove", "transfer",
	"revoke_sessions", "list_entitlements", "revoke_entitlement", "grant_entitlement", "poll"}

// String is the name that descriptions and the activity have for it.
func (o Operation) String() string {
	if o < 0 || int(o) >= len(operationNames) {
		return "operation " + itoa(int(o))
	}
	return operationNames[o]
}

// MarshalText is String, so that an Operation can be the key of a JSON object.
func (o Operation) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// changes tells whether the operation may change something in the app.
func (o Operation) changes() bool {
	switch o {
	case OpCheck, OpFind, OpRead, OpList, OpListEntitlements, OpPoll:
		return false
	}
	return true
}

// Description is how a connector describes itself. Only ID and Operations are needed.
type Description struct {
	ID      string `json:"id"` // what integrations name: [a-z0-9_-]{1,64}
	Name    string `json:"name,omitempty"`
	Version string `json:"version,omitempty"`
	// ConfigSchema is a JSON Schema for the config.
	ConfigSchema json.RawMessage `json:"config_schema,omitempty"`
	// Secrets are dotted paths of the config that are kept sealed.
	Secrets []string `json:"secrets,omitempty"`
	// OwnAccount are dotted paths of the config that name the account that the connection itself has in the app, by
	// login or id. It is never taken away; PROTECTED is then the answer about that account alone.
	OwnAccount          []string                 `json:"own_account,omitempty"`
	RevokeBeforeDisable bool                     `json:"revoke_before_disable,omitempty"`
	Rate                *Rate                    `json:"rate,omitempty"` // nil: 16 calls at once
	Operations          map[Operation]Capability `json:"operations"`     // those that are offered
	// Inline: calls never wait for anything, the engine least of all, and are carried out one by one on the engine's own
	// thread, without a goroutine of their own.
	Inline bool `json:"-"`
}

// Rate is what the app can take of one connection.
type Rate struct {
	PerSecond      float64 `json:"per_second,omitempty"`
	Burst          float64 `json:"burst,omitempty"`
	MaxConcurrency int     `json:"max_concurrency,omitempty"`
}

// Capability is what a connector promises of one operation.
type Capability struct {
	Reversible      bool
	Idempotency     Idempotency
	Asynchrony      Asynchrony
	Verification    Verification
	VerificationLag time.Duration // how long the app may show the old state
	Dangers         []string      // of the app's defaults, for people
	Scopes          []string      // that the credential needs
}

// MarshalJSON writes the form of deprov.h.
func (c Capability) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Reversible      bool         `json:"reversible,omitempty"`
		Idempotency     Idempotency  `json:"idempotency,omitempty"`
		Asynchrony      Asynchrony   `json:"asynchrony,omitempty"`
		Verification    Verification `json:"verification,omitempty"`
		VerificationLag int64        `json:"verification_lag_ms,omitempty"`
		Dangers         []string     `json:"dangers,omitempty"`
		Scopes          []string     `json:"scopes,omitempty"`
	}{c.Reversible, c.Idempotency, c.Asynchrony, c.Verification, milliseconds(c.VerificationLag), c.Dangers, c.Scopes})
}

// Idempotency says whether a call may be repeated.
type Idempotency string

const (
	NotIdempotent       Idempotency = "" // "no"
	IdempotentNaturally Idempotency = "naturally"
	IdempotentByKey     Idempotency = "by_key" // Call.IdempotencyKey
)

// Asynchrony says when a change has happened.
type Asynchrony string

const (
	Synchronous   Asynchrony = "" // "no": when the call has come back
	ByPolling     Asynchrony = "poll"
	FireAndForget Asynchrony = "fire_and_forget"
)

// Verification says how the effect of a change is seen.
type Verification string

const (
	NotVerified    Verification = "" // "none"
	VerifiedByRead Verification = "read"
)

// Call is one call to a connector. What an operation does not need is empty.
type Call struct {
	Operation Operation
	Account   string // the account's immutable id; not for OpCheck, OpFind and OpList

	// For OpFind: what the account has to match exactly; each may be empty.
	ExternalID string
	UserName   string
	Emails     []string

	Entitlement   string // for OpRevokeEntitlement and OpGrantEntitlement
	DeleteAccount bool   // for OpRemove: the account itself, not its membership
	Cursor        string // for OpList: where to go on; empty: from the start
	PageSize      int    // for OpList: how many accounts a page should have
	Handle        string // for OpPoll: what the change was accepted with

	IdempotencyKey string        // the same for each attempt of one step
	Timeout        time.Duration // the context ends then

	live *liveCall
}

// Effect is what a change did.
type Effect int32

const (
	EffectNone     Effect = C.DEPROV_EFFECT_NONE // nothing was to be changed: OpCheck, OpFind, OpRead, OpList
	EffectDone     Effect = C.DEPROV_EFFECT_DONE
	EffectAlready  Effect = C.DEPROV_EFFECT_ALREADY  // the app was in the wanted state
	EffectAccepted Effect = C.DEPROV_EFFECT_ACCEPTED // the app works on it; Reply.Handle names it for OpPoll
)

// Account is an account as the app shows it. Active is nil where the app does not say.
type Account struct {
	ID         string   `json:"id"`
	ExternalID string   `json:"external_id,omitempty"`
	UserName   string   `json:"user_name,omitempty"`
	Emails     []string `json:"emails,omitempty"`
	Active     *bool    `json:"active,omitempty"`
	Groups     []string `json:"groups,omitempty"`
}

// Bool makes a pointer, for Account.Active.
func Bool(b bool) *bool { return &b }

// Reply is what a call answers.
type Reply struct {
	Effect     Effect
	Accounts   []Account // for OpCheck, OpFind, OpRead, OpList; for a change what was observed
	NextCursor string    // for OpList: empty at the end, and only then is the list complete
	Handle     string    // of what was accepted
}

// Outcome says what became of a call that was not OK. They are disjoint, and each has one consequence; see deprov.h.
type Outcome int32

const (
	OutcomeNotFound         Outcome = C.DEPROV_OUTCOME_NOT_FOUND
	OutcomeAmbiguous        Outcome = C.DEPROV_OUTCOME_AMBIGUOUS
	OutcomeConflictState    Outcome = C.DEPROV_OUTCOME_CONFLICT_STATE
	OutcomePrecondition     Outcome = C.DEPROV_OUTCOME_PRECONDITION
	OutcomeProtected        Outcome = C.DEPROV_OUTCOME_PROTECTED
	OutcomeInvalidRequest   Outcome = C.DEPROV_OUTCOME_INVALID_REQUEST
	OutcomeUnsupported      Outcome = C.DEPROV_OUTCOME_UNSUPPORTED
	OutcomePermissionDenied Outcome = C.DEPROV_OUTCOME_PERMISSION_DENIED // this operation is refused to the credential
	OutcomeAuthExpired      Outcome = C.DEPROV_OUTCOME_AUTH_EXPIRED
	OutcomeAuthFailed       Outcome = C.DEPROV_OUTCOME_AUTH_FAILED // pauses the integration's jobs
	OutcomeThrottled        Outcome = C.DEPROV_OUTCOME_THROTTLED   // costs no attempt
	OutcomeUnavailable      Outcome = C.DEPROV_OUTCOME_UNAVAILABLE
	OutcomeNotSent          Outcome = C.DEPROV_OUTCOME_NOT_SENT        // nothing reached the app: repeating is safe
	OutcomeUnknown          Outcome = C.DEPROV_OUTCOME_UNKNOWN_OUTCOME // sent and not answered: read back before it is repeated
	OutcomeProtocol         Outcome = C.DEPROV_OUTCOME_PROTOCOL
	OutcomeCancelled        Outcome = C.DEPROV_OUTCOME_CANCELLED // only where nothing was sent
	OutcomeDeadlineExceeded Outcome = C.DEPROV_OUTCOME_DEADLINE
	OutcomeInternal         Outcome = C.DEPROV_OUTCOME_INTERNAL
)

// Throttle is how far OutcomeThrottled reaches.
type Throttle int32

const (
	ThrottleConnection Throttle = C.DEPROV_THROTTLE_CONNECTION
	ThrottleOperation  Throttle = C.DEPROV_THROTTLE_OPERATION
	ThrottleAccount    Throttle = C.DEPROV_THROTTLE_ACCOUNT
)

// OutcomeError is how Connection.Call says what went wrong.
type OutcomeError struct {
	Outcome    Outcome        // never 0: where it was forgotten, OutcomeInternal, and OutcomeUnknown of a change
	Detail     string         // for people; never a secret
	RetryAfter *time.Duration // how long the app wants to be left alone; nil: it does not say
	Scope      Throttle       // of OutcomeThrottled
}

// Error is the Detail.
func (e *OutcomeError) Error() string {
	if e.Detail == "" {
		return "the connector answered outcome " + itoa(int(e.Outcome))
	}
	return e.Detail
}
