package deprov

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Source is where changes come from besides SCIM push.
type Source struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Kind is rows (users are handed in, by BeginList), file (bytes are), events (security events come), or what deprov reads
	// itself.
	Kind         string          `json:"kind"`
	Config       json.RawMessage `json:"config"` // a SourceConfig, without its secrets
	Created      time.Time       `json:"created"`
	Health       string          `json:"health"` // never_read, ok, failing
	Users        int64           `json:"users"`  // in its last complete list
	ListBegun    time.Time       `json:"list_begun"`
	CarryingOut  string          `json:"carrying_out"` // the work that carries out what that list changes
	Attempted    time.Time       `json:"attempted"`
	Succeeded    time.Time       `json:"succeeded"`
	FailingSince time.Time       `json:"failing_since"`
	Failure      string          `json:"failure"`
	Failures     int             `json:"failures"`
	NextPoll     time.Time       `json:"next_poll"` // zero: it is not read by itself
	Poll         *SourcePolling  `json:"poll"`      // nil: it is not polled
}

// SourcePolling is how the polling of a source stands.
type SourcePolling struct {
	Round      string      `json:"round"`       // of the last time: complete or changes; empty before the first
	CompleteAt time.Time   `json:"complete_at"` // when everybody was last read
	LagS       *int64      `json:"lag_s"`       // how old what is known of it is, in seconds; nil: nothing is
	IntervalS  *int64      `json:"interval_s"`  // between two polls, now; nil: it was not polled yet
	FloorS     int64       `json:"floor_s"`     // at least, and at most
	CeilingS   int64       `json:"ceiling_s"`
	Quota      SourceQuota `json:"quota"`
	Waits      string      `json:"waits"`  // why it is not read now, though it does not fail
	Reader     string      `json:"reader"` // the engine that reads it now
}

// SourceQuota is what the API of a source last said may still be asked.
type SourceQuota struct {
	Remaining *int64    `json:"remaining"`
	Limit     *int64    `json:"limit"`
	ResetAt   time.Time `json:"reset_at"`
}

// AddSource says what a source is to be.
type AddSource struct {
	Name   string `json:"name"`
	Kind   string `json:"kind,omitempty"`   // rows, file (default), events, or the word of what is polled
	Config any    `json:"config,omitempty"` // a SourceConfig, or what else has that JSON
}

// within is a path below what ids name: words and ids in turn. An id is one segment of it, whatever it has in it; one that is
// empty would name what is above.
func within(path ...string) (string, error) {
	var whole strings.Builder
	for i, part := range path {
		if i%2 == 1 && part == "" {
			return "", &Error{Status: ErrInvalidArgument, Detail: "is not given", Where: "id below " + whole.String(), Advice: "give an id"}
		}
		whole.WriteString("/" + url.PathEscape(part))
	}
	return whole.String(), nil
}

// source makes a call about a source of an integration, or about what is below it.
func (e *Engine) source(ctx context.Context, by Caller, method, integration, source, below string, send, into any) error {
	path, err := within("integrations", integration, "sources", source)
	if err != nil {
		return err
	}
	return e.Admin(ctx, by, method, path+below, send, into)
}

// AddSource makes a source; its first list changes nothing.
func (e *Engine) AddSource(ctx context.Context, by Caller, integration string, source AddSource) (*Source, error) {
	path, err := within("integrations", integration, "sources")
	if err != nil {
		return nil, err
	}
	made := new(Source)
	if err := e.Admin(ctx, by, http.MethodPost, path, source, made); err != nil {
		return nil, err
	}
	return made, nil
}

// Sources of an integration, with their health.
func (e *Engine) Sources(ctx context.Context, by Caller, integration string) ([]Source, error) {
	path, err := within("integrations", integration, "sources")
	if err != nil {
		return nil, err
	}
	var found struct{ Items []Source }
	err = e.Admin(ctx, by, http.MethodGet, path, nil, &found)
	return found.Items, err
}

// Source is one of them.
func (e *Engine) Source(ctx context.Context, by Caller, integration, source string) (*Source, error) {
	found := new(Source)
	if err := e.source(ctx, by, http.MethodGet, integration, source, "", nil, found); err != nil {
		return nil, err
	}
	return found, nil
}

// SetSource changes members of a source's config: a credential, how often it is read, who is linked to whom. Each takes the
// place of what there is, null takes it away; of `poll`, `verification` and `links` only the members that are given. What
// the source has read, and what was inferred from that, stays.
//
// Errors: ErrInvalidArgument, also for what cannot be changed; those of Do.
func (e *Engine) SetSource(ctx context.Context, by Caller, integration, source string, config any) (*Source, error) {
	changed := new(Source)
	send := map[string]any{"config": config}
	if err := e.source(ctx, by, http.MethodPatch, integration, source, "", send, changed); err != nil {
		return nil, err
	}
	return changed, nil
}

// RemoveSource forgets a source; that ends nobody's access and restores nobody's.
func (e *Engine) RemoveSource(ctx context.Context, by Caller, integration, source string) error {
	return e.source(ctx, by, http.MethodDelete, integration, source, "", nil, nil)
}

// PollOptions say how a source is read.
type PollOptions struct {
	DryRun   bool // tell what would happen, and store nothing
	Complete bool // read everybody, also where asking for what changed would do
	// Differences are how many of them the report lists, at most 10,000; 0: 1000.
	Differences int
}

// PollSource reads a polled source now, and tells how it differs and what follows.
//
// Errors: why it could not be read; ErrInvalidArgument (it is not polled); ErrConflict; those of Do.
func (e *Engine) PollSource(ctx context.Context, by Caller, integration, source string, options PollOptions) (*ListReport, error) {
	send := map[string]any{"dry_run": options.DryRun, "complete": options.Complete}
	if options.Differences != 0 {
		send["differences"] = options.Differences
	}
	report := new(ListReport)
	if err := e.source(ctx, by, http.MethodPost, integration, source, "/poll", send, report); err != nil {
		return nil, err
	}
	return report, nil
}

// Reread names who is to be read again: by the source's id of the user, or as a subject.
type Reread struct {
	ID      string `json:"id,omitempty"`
	Subject string `json:"subject,omitempty"`
	Source  string `json:"source,omitempty"` // the one to ask; empty: all that are polled
}

// RereadSubject has one user read again from polled sources, soon; nothing follows from the request itself. It answers how
// many sources will be asked.
func (e *Engine) RereadSubject(ctx context.Context, by Caller, integration string, who Reread) (int, error) {
	path, err := within("integrations", integration, "rereads")
	if err != nil {
		return 0, err
	}
	var found struct{ Asked int }
	err = e.Admin(ctx, by, http.MethodPost, path, who, &found)
	return found.Asked, err
}

// UnlinkedSubject is whom events of a source named that nobody here could be linked to.
type UnlinkedSubject struct {
	Subject    string    `json:"subject"` // as the transmitter names it, as JSON
	Why        string    `json:"why"`     // unknown, ambiguous
	Event      string    `json:"event"`   // the last one
	Count      int64     `json:"count"`
	First      time.Time `json:"first"`
	Last       time.Time `json:"last"`
	Candidates []string  `json:"candidates"` // subjects here whom it may mean
}

// UnlinkedSubjects of a source of kind events, the newest first, at most 100.
func (e *Engine) UnlinkedSubjects(ctx context.Context, by Caller, integration, source string) ([]UnlinkedSubject, error) {
	var found struct{ Items []UnlinkedSubject }
	err := e.source(ctx, by, http.MethodGet, integration, source, "/unlinked", nil, &found)
	return found.Items, err
}

// LinkSubject says whom an identifier of a transmitter of events means; an empty one: none any more.
func (e *Engine) LinkSubject(ctx context.Context, by Caller, integration, source, subject, identifier string) error {
	send := map[string]string{"subject": subject, "identifier": identifier}
	return e.source(ctx, by, http.MethodPost, integration, source, "/links", send, nil)
}

// VerifyStream asks the transmitter of a source of kind events for a verification event; its coming is on the activity.
func (e *Engine) VerifyStream(ctx context.Context, by Caller, integration, source string) error {
	return e.source(ctx, by, http.MethodPost, integration, source, "/verify", nil, nil)
}
