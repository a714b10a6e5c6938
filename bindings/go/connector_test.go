package deprov

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// app is one whose accounts are called "acc-" and the userName; everybody has one.
type app struct {
	mu      sync.Mutex
	active  map[string]bool
	log     []string // "disable acc-ann"
	configs []string
	opened  int
	closed  int
	seen    []Call

	refuse  error
	panics  bool // in Connect
	ends    bool // the goroutine, in there
	disable func(ctx context.Context, a *app, call *Call) (Reply, error)
}

func (a *app) Describe() Description {
	reading := Capability{Idempotency: IdempotentNaturally}
	changing := Capability{Reversible: true, Idempotency: IdempotentNaturally, Verification: VerifiedByRead,
		VerificationLag: time.Millisecond, Dangers: []string{"none"}, Scopes: []string{"accounts"}}
	return Description{ID: "ours", Name: "Our app", Version: "1.0",
		ConfigSchema: json.RawMessage(`{"type": "object", "properties": {"url": {"type": "string"}, "password": {"type": "string"}}}`),
		Secrets:      []string{"password"}, Rate: &Rate{MaxConcurrency: 4},
		Operations: map[Operation]Capability{OpCheck: {}, OpFind: reading, OpRead: reading, OpDisable: changing,
			OpEnable: changing, OpRevokeSessions: {Idempotency: IdempotentNaturally}}}
}

func (a *app) Connect(config json.RawMessage) (Connection, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.panics {
		panic("no idea")
	}
	if a.ends {
		runtime.Goexit()
	}
	if a.refuse != nil {
		return nil, a.refuse
	}
	a.opened++
	a.configs = append(a.configs, string(config))
	return &appConnection{app: a}, nil
}

type appConnection struct {
	app   *app
	calls int
}

func (c *appConnection) Close() error {
	c.app.mu.Lock()
	defer c.app.mu.Unlock()
	c.app.closed++
	if c.calls != 0 {
		panic("closed while it was called")
	}
	return nil
}

func (c *appConnection) Call(ctx context.Context, call *Call) (Reply, error) {
	a := c.app
	a.mu.Lock()
	c.calls++
	a.seen = append(a.seen, *call)
	disable := a.disable
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		c.calls--
		a.mu.Unlock()
	}()
	if disable != nil && call.Operation == OpDisable {
		return disable(ctx, a, call)
	}
	return a.answer(call)
}

func (a *app) answer(call *Call) (Reply, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.active == nil {
		a.active = map[string]bool{}
	}
	id := call.Account
	switch call.Operation {
	case OpCheck:
		return Reply{}, nil
	case OpFind:
		id = "acc-" + call.UserName
		if _, ok := a.active[id]; !ok {
			a.active[id] = true
		}
		return Reply{Accounts: []Account{{ID: id, UserName: call.UserName, Active: Bool(a.active[id])}}}, nil
	case OpRead:
		return Reply{Accounts: []Account{{ID: id, Active: Bool(a.active[id])}}}, nil
	case OpDisable, OpRevokeSessions:
		if call.Operation == OpDisable {
			a.active[id] = false
		}
		a.log = append(a.log, call.Operation.String()+" "+id)
		return Reply{Effect: EffectDone}, nil
	default:
		return Reply{}, &OutcomeError{Outcome: OutcomeUnsupported}
	}
}

func (a *app) count(line string) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, l := range a.log {
		if l == line {
			n++
		}
	}
	return n
}

func withApp(t *testing.T, a *app) *world {
	return newWorld(t, Options{InMemory: true, Connectors: []Connector{a}}, Integration{Name: "Wiki", IdP: "okta",
		Connector: "ours", Config: map[string]string{"url": "https://app", "password": "geheim"}})
}

// oneDisable plays `first` for the first disable, and lets the others through.
func oneDisable(first func(ctx context.Context, a *app, call *Call) (Reply, error)) func(context.Context, *app, *Call) (Reply, error) {
	var once sync.Once
	return func(ctx context.Context, a *app, call *Call) (reply Reply, err error) {
		played := false
		once.Do(func() {
			played = true
			reply, err = first(ctx, a, call)
		})
		if !played {
			return a.answer(call)
		}
		return reply, err
	}
}

func TestAConnectorOfTheHostCarriesARemovalOutToVerified(t *testing.T) {
	a := &app{}
	before := handles.Load()
	w := withApp(t, a)
	w.deactivate(w.addUser("ann"))
	verified := w.waitFor("removal.verified")
	if verified.Job == "" || verified.Subject == "" || a.count("disable acc-ann") != 1 || a.active["acc-ann"] {
		t.Errorf("%+v", verified)
	}
	if !strings.Contains(a.configs[0], "geheim") {
		t.Error(a.configs)
	}
	for _, call := range a.seen {
		if call.Timeout <= 0 {
			t.Errorf("%+v", call)
		}
		switch call.Operation {
		case OpFind:
			if call.UserName != "ann" || call.Account != "" {
				t.Errorf("%+v", call)
			}
		case OpDisable:
			if call.Account != "acc-ann" || call.IdempotencyKey == "" {
				t.Errorf("%+v", call)
			}
		}
	}
	if err := w.engine.Close(w.ctx); err != nil {
		t.Fatal(err)
	}
	if !comesTo(before, handles.Load) {
		t.Error("the library still holds the connector")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.opened == 0 || a.opened != a.closed {
		t.Errorf("%d opened, %d closed", a.opened, a.closed)
	}
}

func TestADescriptionBecomesWhatTheLibraryReads(t *testing.T) {
	w := withApp(t, &app{})
	var list struct {
		Items []struct {
			ID         string
			Name       string
			Operations []string
			Secrets    []string
		}
	}
	if err := w.engine.Admin(w.ctx, w.by(), "GET", "/connectors", nil, &list); err != nil {
		t.Fatal(err)
	}
	for _, c := range list.Items {
		if c.ID == "ours" {
			if c.Name != "Our app" || len(c.Operations) != 6 || !reflect.DeepEqual(c.Secrets, []string{"password"}) {
				t.Errorf("%+v", c)
			}
			return
		}
	}
	t.Error(list)
}

// Whatever a connector answers, the removal ends verified: an unknown outcome is read back, the rest is tried again.
func TestEachWayToFailIsAnOutcome(t *testing.T) {
	soon := time.Millisecond
	for name, c := range map[string]struct {
		first   func(ctx context.Context, a *app, call *Call) (Reply, error)
		outcome string
	}{
		"an outcome": {func(context.Context, *app, *Call) (Reply, error) {
			return Reply{}, fmt.Errorf("wrapped: %w", &OutcomeError{Outcome: OutcomeThrottled, Detail: "slowly", RetryAfter: &soon, Scope: ThrottleOperation})
		}, ""}, // costs no attempt, and no line on the activity
		"another one": {func(context.Context, *app, *Call) (Reply, error) {
			return Reply{}, &OutcomeError{Outcome: OutcomeUnavailable, Detail: "slowly", RetryAfter: &soon}
		}, "UNAVAILABLE"},
		"any other error": {func(context.Context, *app, *Call) (Reply, error) {
			return Reply{}, errors.New("connection reset")
		}, "UNKNOWN_OUTCOME"},
		"a panic":          {func(context.Context, *app, *Call) (Reply, error) { panic("no idea") }, "UNKNOWN_OUTCOME"},
		"a panic of nil":   {func(context.Context, *app, *Call) (Reply, error) { panic(nil) }, "UNKNOWN_OUTCOME"},
		"a nil pointer":    {func(context.Context, *app, *Call) (Reply, error) { return Reply{}, (*OutcomeError)(nil) }, "UNKNOWN_OUTCOME"},
		"no outcome":       {func(context.Context, *app, *Call) (Reply, error) { return Reply{}, &OutcomeError{Detail: "boom"} }, `"UNKNOWN_OUTCOME","detail":"boom"`},
		"bytes, not UTF-8": {func(context.Context, *app, *Call) (Reply, error) { return Reply{}, errors.New("caf\xe9") }, "caf\ufffd"},
		"a goroutine that ends": {func(context.Context, *app, *Call) (Reply, error) {
			runtime.Goexit()
			return Reply{}, nil
		}, "has ended"},
		"nonsense": {func(_ context.Context, a *app, call *Call) (Reply, error) {
			_, _ = a.answer(call) // it happened
			return Reply{Effect: EffectAccepted}, nil
		}, "UNKNOWN_OUTCOME"},
	} {
		c := c
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each waits for a second try
			a := &app{disable: oneDisable(c.first)}
			w := withApp(t, a)
			w.deactivate(w.addUser("ann"))
			w.waitFor("removal.verified")
			rows := w.engine.Activity(w.ctx, w.by(), RowsOptions{Integration: w.wiki.ID})
			defer rows.Close()
			found := false
			for rows.Next() {
				found = found || strings.Contains(string(rows.Value().Detail), c.outcome)
			}
			var export bytes.Buffer
			if err := w.engine.Evidence(w.ctx, w.by(), nil, &export); err != nil {
				t.Fatal(err)
			}
			if report, err := VerifyEvidence(&export, VerifyOptions{}); err != nil || !report.Holds {
				t.Error(err, report)
			}
			if !found {
				t.Errorf("the activity does not say %s", c.outcome)
			}
		})
	}
}

func TestWhatErrorsMeanForReadsAndForChanges(t *testing.T) {
	for _, c := range []struct {
		operation Operation
		err       error
		outcome   Outcome
	}{
		{OpDisable, context.Canceled, OutcomeUnknown},
		{OpRemove, context.DeadlineExceeded, OutcomeUnknown},
		{OpRead, fmt.Errorf("get: %w", context.Canceled), OutcomeCancelled},
		{OpFind, context.DeadlineExceeded, OutcomeDeadlineExceeded},
		{OpList, errors.New("refused"), OutcomeUnavailable},
		{OpPoll, &OutcomeError{Outcome: OutcomeNotFound}, OutcomeNotFound},
		{OpFind, &OutcomeError{Detail: "forgotten"}, OutcomeInternal},
		{OpDisable, &OutcomeError{Detail: "forgotten"}, OutcomeUnknown},
	} {
		if got := outcomeOf(c.operation, c.err); got.Outcome != c.outcome {
			t.Errorf("%v of %v: %v", c.err, c.operation, got.Outcome)
		}
	}
	if Operation(99).String() != "operation 99" || OpPoll.String() != "poll" || (&OutcomeError{}).Error() == "" {
		t.Error("names")
	}
}

func TestClosingEndsACallsContextAndReportsTheOneThatGoesOn(t *testing.T) {
	called, asked, goOn := make(chan struct{}), make(chan struct{}), make(chan struct{})
	a := &app{disable: func(ctx context.Context, a *app, call *Call) (Reply, error) {
		close(called)
		<-ctx.Done()
		close(asked)
		<-goOn
		return Reply{}, ctx.Err()
	}}
	before := handles.Load()
	w := withApp(t, a)
	w.deactivate(w.addUser("ann"))
	w.waitFor("removal.in_progress")
	<-called
	short, cancel := context.WithTimeout(w.ctx, 200*time.Millisecond)
	defer cancel()
	err := w.engine.Close(short)
	var left *UnfinishedError
	if !errors.As(err, &left) || !errors.Is(err, ErrTimeout) || len(left.Calls) != 1 || left.Error() == "" ||
		left.Calls[0] != (Straggler{"ours", "disable", "acc-ann"}) {
		t.Fatalf("%v %+v", err, left)
	}
	if again := w.engine.Close(w.ctx); again != err {
		t.Error(again)
	}
	<-asked
	a.mu.Lock()
	if a.closed != a.opened-1 {
		t.Errorf("%d opened, %d closed while one of them is called", a.opened, a.closed)
	}
	a.mu.Unlock()
	close(goOn) // its completion comes too late, and harms nobody
	if !comesTo(before, handles.Load) {
		t.Error("the library still holds the connector")
	}
	if !comesTo(0, func() int64 {
		a.mu.Lock()
		defer a.mu.Unlock()
		return int64(a.opened - a.closed)
	}) {
		t.Error("a connection was not closed")
	}
}

func TestAConnectorThatCannotBeOpenedSaysWhy(t *testing.T) {
	for _, a := range []*app{
		{refuse: &Error{Status: ErrInvalidArgument, Detail: "no such app", Where: "url", Advice: "look it up"}},
		{refuse: fmt.Errorf("no such app: %w", ErrForbidden)},
		{refuse: errors.New("no such app")},
		{refuse: fmt.Errorf("no such app: %w", Status(0))},
		{panics: true},
		{ends: true},
		{refuse: (*Error)(nil)},
	} {
		engine := openIn(t, Options{InMemory: true, Connectors: []Connector{a}})
		ctx := context.Background()
		workspace, err := engine.CreateWorkspace(ctx, "acme", "")
		if err != nil {
			t.Fatal(err)
		}
		_, err = engine.CreateIntegration(ctx, Caller{Workspace: workspace.ID}, Integration{Name: "W", IdP: "okta", Connector: "ours"})
		want, text := ErrInternal, "no such app"
		switch {
		case a.panics:
			text = "panic: no idea"
		case a.ends:
			text = "has ended"
		case a.refuse == error((*Error)(nil)):
			text = "nil pointer"
		case errors.Is(a.refuse, ErrInvalidArgument):
			want = ErrInvalidArgument
		case errors.Is(a.refuse, ErrForbidden):
			want = ErrForbidden
		}
		if !errors.Is(err, want) || !strings.Contains(err.Error(), text) {
			t.Errorf("%v: %v", a.refuse, err)
		}
	}
}

// plain says whatever it was made of.
type plain struct{ description Description }

func (p plain) Describe() Description                       { return p.description }
func (p plain) Connect(json.RawMessage) (Connection, error) { return nil, nil }

func TestDescriptionsThatDoNotSayEnoughAreRefused(t *testing.T) {
	before := handles.Load()
	check := map[Operation]Capability{OpCheck: {}}
	for _, d := range []Description{
		{},
		{ID: "x"},
		{ID: "X", Operations: check},
		{ID: "x", Operations: map[Operation]Capability{77: {}}},
		{ID: "x", Operations: check, ConfigSchema: json.RawMessage(`{"type": "tree"}`)},
		{ID: "x", Operations: check, ConfigSchema: json.RawMessage(`{`)},
	} {
		_, err := Open(context.Background(), Options{InMemory: true, Connectors: []Connector{plain{d}}})
		if !errors.Is(err, ErrInvalidArgument) {
			t.Errorf("%+v: %v", d, err)
		}
	}
	fine := plain{Description{ID: "x", Operations: check}}
	_, err := Open(context.Background(), Options{InMemory: true, Connectors: []Connector{fine, fine}})
	if !errors.Is(err, ErrUniqueness) {
		t.Error(err)
	}
	if handles.Load() != before {
		t.Error("the library holds what it refused")
	}
	engine := openIn(t, Options{InMemory: true, Connectors: []Connector{fine}})
	workspace, err := engine.CreateWorkspace(context.Background(), "acme", "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = engine.CreateIntegration(context.Background(), Caller{Workspace: workspace.ID}, Integration{Name: "W", IdP: "okta", Connector: "x"})
	if err == nil || !strings.Contains(err.Error(), "neither") {
		t.Error(err)
	}
}

func TestOneConnectorServesSeveralEngines(t *testing.T) {
	a := &app{}
	for i := 0; i < 2; i++ {
		w := withApp(t, a)
		w.deactivate(w.addUser(fmt.Sprint("user", i)))
		w.waitFor("removal.verified")
	}
	if a.count("disable acc-user0") != 1 || a.count("disable acc-user1") != 1 {
		t.Error(a.log)
	}
}
