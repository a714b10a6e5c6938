package deprov

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// keeper is an app whose `disable` is what a test wants.
func keeper(disable func(ctx context.Context, call *Call) error) *app {
	return &app{disable: func(ctx context.Context, a *app, call *Call) (Reply, error) {
		if err := disable(ctx, call); err != nil {
			return Reply{}, err
		}
		return a.answer(call)
	}}
}

func TestAConnectorFindsWhatItKept(t *testing.T) {
	heard := make(chan string, 100)
	say := func(text string, err error) {
		if err != nil {
			text = "error: " + err.Error()
		}
		heard <- text
	}
	a := keeper(func(ctx context.Context, call *Call) error {
		say(call.Checkpoint(ctx, "cursor"))
		say("", call.SetCheckpoint(ctx, "cursor", "page 7 é"))
		say(call.Checkpoint(ctx, "cursor"))
		say("", call.SetCheckpoint(ctx, "gone", "x"))
		say("", call.SetCheckpoint(ctx, "gone", ""))
		say(call.Checkpoint(ctx, "gone"))
		return nil
	})
	w := withApp(t, a)
	for _, name := range []string{"ann", "bob"} {
		w.deactivate(w.addUser(name))
		before := ""
		if name == "bob" {
			before = "page 7 é"
		}
		for _, want := range []string{before, "", "page 7 é", "", "", ""} {
			select {
			case got := <-heard:
				if got != want {
					t.Errorf("%s heard %q, and not %q", name, got, want)
				}
			case <-time.After(time.Minute):
				t.Fatal("nothing was heard")
			}
		}
	}
}

func TestACheckpointThatCannotBeIsAnError(t *testing.T) {
	before := handles.Load()
	errs := make(chan error, 100)
	after := make(chan *Call, 1)
	a := keeper(func(ctx context.Context, call *Call) error {
		errs <- call.SetCheckpoint(ctx, "", "x")
		errs <- call.SetCheckpoint(ctx, "a b", "x")
		errs <- call.SetCheckpoint(ctx, "n", "\xff")
		errs <- call.SetCheckpoint(ctx, "n", "Bearer geheim")
		errs <- call.SetCheckpoint(ctx, strings.Repeat("n", 101), "x")
		errs <- call.SetCheckpoint(ctx, "n", strings.Repeat("x", 65537))
		_, err := call.Checkpoint(ctx, "")
		errs <- err
		over, cancel := context.WithCancel(ctx)
		cancel()
		errs <- call.SetCheckpoint(over, "n", "x")
		after <- call
		return nil
	})
	w := withApp(t, a)
	w.deactivate(w.addUser("ann"))
	for i, want := range []Status{ErrInvalidArgument, ErrInvalidArgument, ErrInvalidArgument, ErrInvalidArgument,
		ErrLimitExceeded, ErrLimitExceeded, ErrInvalidArgument, ErrCancelled} {
		select {
		case err := <-errs:
			if !errors.Is(err, want) {
				t.Errorf("%d: %v is not %v", i, err, want)
			}
			if err != nil && strings.Contains(err.Error(), "geheim") {
				t.Errorf("%v tells a secret", err)
			}
		case <-time.After(time.Minute):
			t.Fatal("nothing was heard")
		}
	}
	call := <-after
	if !comesTo(1, func() int64 {
		if errors.Is(call.SetCheckpoint(context.Background(), "n", "x"), ErrClosed) {
			return 1
		}
		return 0
	}) {
		t.Error("a call that has come back still keeps something")
	}
	if err := (&Call{}).SetCheckpoint(context.Background(), "n", "x"); !errors.Is(err, ErrUnsupported) {
		t.Errorf("a call of nobody: %v", err)
	}
	if err := w.engine.Close(w.ctx); err != nil {
		t.Fatal(err)
	}
	if !comesTo(before, handles.Load) {
		t.Errorf("the library holds %d values of Go, and %d before", handles.Load(), before)
	}
}

// inlineApp is one whose calls run on the engine's own thread.
type inlineApp struct{ *app }

func (a inlineApp) Describe() Description {
	d := a.app.Describe()
	d.Inline = true
	return d
}

func TestAnInlineConnectorCannotWaitForACheckpoint(t *testing.T) {
	errs := make(chan error, 100)
	a := keeper(func(ctx context.Context, call *Call) error {
		errs <- call.SetCheckpoint(ctx, "n", "x")
		return nil
	})
	w := newWorld(t, Options{InMemory: true, Connectors: []Connector{inlineApp{a}}}, Integration{Name: "Wiki", IdP: "okta",
		Connector: "ours", Config: map[string]string{"url": "https://app", "password": "geheim"}})
	w.deactivate(w.addUser("ann"))
	select {
	case err := <-errs:
		if !errors.Is(err, ErrWrongThread) {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("nothing was heard")
	}
}
