package deprov

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestSCIMRequestsAreAnsweredAsOverHTTP(t *testing.T) {
	w := inMemory(t)
	id := w.addUser("ann")
	got := w.scim("GET", "/Users/"+id, "")
	var ann struct{ UserName string }
	if err := json.Unmarshal(got.Body, &ann); err != nil || got.Status != 200 || ann.UserName != "ann" || got.Stream != nil {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	if !strings.HasPrefix(got.Header.Get("Content-Type"), "application/scim+json") {
		t.Error(got.Header)
	}
	if got := w.scim("GET", "/Users/nobody", ""); got.Status != 404 {
		t.Error(got.Status)
	}
	stranger := w.request("GET", "/Users", "")
	stranger.Header.Set("Authorization", "Bearer dpg_wrong")
	if got, err := w.engine.Do(w.ctx, stranger); err != nil || got.Status != 401 {
		t.Error(got, err)
	}
}

func TestRequestsThatMakeNoSenseAreRefused(t *testing.T) {
	w := inMemory(t)
	many := http.Header{}
	for i := 0; i < 300; i++ {
		many.Add("X-Many", "x")
	}
	for _, c := range []struct {
		request Request
		status  Status
		where   string
	}{
		{Request{Target: "/"}, ErrInvalidArgument, "request.method"},
		{Request{Method: "GET", Target: "Users"}, ErrInvalidArgument, "request.target"},
		{Request{}, ErrInvalidArgument, "request.method"},
		{Request{Method: "GET", Target: "/" + strings.Repeat("x", 70_000)}, ErrLimitExceeded, "request.target bytes"},
		{Request{Method: "GET", Target: "/" + strings.Repeat("x", 2<<20)}, ErrLimitExceeded, "request.target"},
		{Request{Method: "GET", Target: "/", Header: many}, ErrLimitExceeded, "request.header"},
		{Request{Method: "GET", Target: "/scim/v2", Local: true}, ErrInvalidArgument, "request.target"},
	} {
		request := c.request
		_, err := w.engine.Do(w.ctx, &request)
		var why *Error
		if !errors.As(err, &why) || why.Status != c.status || why.Where != c.where {
			t.Errorf("%s: %v", c.where, err)
		}
	}
}

func TestManyAskAtOnceAndEachGetsItsOwnAnswer(t *testing.T) {
	w := inMemory(t)
	names := map[string]string{}
	for i := 0; i < 8; i++ {
		name := fmt.Sprint("user", i)
		names[w.addUser(name)] = name
	}
	var all sync.WaitGroup
	for id, name := range names {
		all.Add(1)
		go func(id, name string) {
			defer all.Done()
			for i := 0; i < 50; i++ {
				got, err := w.engine.Do(w.ctx, w.request("GET", "/Users/"+id, ""))
				if err != nil || !bytes.Contains(got.Body, []byte(`"`+name+`"`)) {
					t.Errorf("%s got %v %v", name, got, err)
					return
				}
			}
		}(id, name)
	}
	all.Wait()
}

func TestARequestThatIsCancelledEndsAtOnceAndOnce(t *testing.T) {
	engine := openIn(t, Options{InMemory: true, HostDriven: true}) // nothing is answered before somebody pumps
	for _, c := range []struct {
		make   func() (context.Context, context.CancelFunc)
		status Status
		cause  error
	}{
		{func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.Background(), time.Millisecond)
		},
			ErrTimeout, context.DeadlineExceeded},
		{func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(context.Background())
			go cancel()
			return ctx, cancel
		}, ErrCancelled, context.Canceled},
	} {
		ctx, cancel := c.make()
		_, err := engine.CreateWorkspace(ctx, "acme", "")
		cancel()
		if !errors.Is(err, c.cause) || !errors.Is(err, c.status) {
			t.Error(err)
		}
	}
	engine.waiters.Lock()
	defer engine.waiters.Unlock()
	if len(engine.waiters.byID) != 0 {
		t.Error("somebody still waits")
	}
}

func TestTheAdminAPIIsThereForTheLocalAdministratorAndForPrincipals(t *testing.T) {
	w := inMemory(t)
	var list struct{ Items []json.RawMessage }
	for _, by := range []Caller{w.by(), {Token: w.workspace.OwnerToken}} {
		if err := w.engine.Admin(w.ctx, by, "GET", "/integrations", nil, &list); err != nil || len(list.Items) != 1 {
			t.Error(list, err)
		}
	}
	var raw json.RawMessage
	if err := w.engine.Admin(w.ctx, w.by(), "GET", "/workspaces", nil, &raw); err != nil || !json.Valid(raw) {
		t.Error(err)
	}
	for _, c := range []struct {
		by     Caller
		method string
		path   string
		send   any
		status Status
	}{
		{Caller{Workspace: w.workspace.ID, Token: "x"}, "GET", "/integrations", nil, ErrInvalidArgument},
		{Caller{Token: "dpo_nobody"}, "GET", "/integrations", nil, ErrUnauthorized},
		{w.by(), "POST", "/integrations", json.RawMessage(`{"unheard": 1}`), ErrInvalidArgument},
		{w.by(), "POST", "/integrations", []byte(`{`), ErrInvalidSyntax},
		{w.by(), "POST", "/integrations", func() {}, ErrInvalidArgument},
		{w.by(), "GET", "/nowhere", nil, ErrNotFound},
		{w.by(), "GET", "nowhere", nil, ErrInvalidArgument},
		{w.by(), "GET", "/evidence", nil, ErrUnsupported},
		{Caller{Workspace: "01890000-0000-7000-8000-000000000000"}, "GET", "/integrations", nil, ErrNotFound},
	} {
		if err := w.engine.Admin(w.ctx, c.by, c.method, c.path, c.send, nil); !errors.Is(err, c.status) {
			t.Errorf("%s %s: %v, not %v", c.method, c.path, err, c.status)
		}
	}
	if err := w.engine.Admin(w.ctx, w.by(), "GET", "/integrations", nil, new(int)); !errors.Is(err, ErrProtocol) {
		t.Error(err)
	}
	if _, err := w.engine.CreateIntegration(w.ctx, w.by(), Integration{Name: "X", IdP: "okta", Connector: "none"}); err == nil {
		t.Error("there is no such connector")
	}
}

func TestLargeAnswersComeInPieces(t *testing.T) {
	w := inMemory(t)
	for i := 0; i < 20; i++ {
		w.addUser(fmt.Sprint("user", i))
	}
	var all bytes.Buffer
	if err := w.engine.Evidence(w.ctx, w.by(), nil, &all); err != nil {
		t.Fatal(err)
	}
	if bytes.Count(all.Bytes(), []byte("\n")) <= 20 {
		t.Errorf("%s", all.Bytes())
	}
	for _, line := range bytes.Split(bytes.TrimSpace(all.Bytes()), []byte("\n")) {
		if !json.Valid(line) {
			t.Fatalf("%s", line)
		}
	}
	response, err := w.engine.Do(w.ctx, &Request{Method: "GET", Target: "/api/v1/evidence", Local: true, Workspace: w.workspace.ID})
	if err != nil || response.Stream == nil || response.Body != nil {
		t.Fatal(response, err)
	}
	whole, err := response.ReadAll()
	if err != nil || bytes.Count(whole, []byte("\n")) < bytes.Count(all.Bytes(), []byte("\n")) {
		t.Error(err)
	}
	if _, err := response.Stream.Next(w.ctx); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if err := response.Close(); err != nil {
		t.Error(err)
	}
}

// follow begins to follow the activity behind its end, and takes the first piece, which says so.
func (w *world) follow(ctx context.Context) *Stream {
	w.t.Helper()
	response, err := w.engine.Do(ctx, &Request{Method: "GET", Local: true, Workspace: w.workspace.ID,
		Target: "/api/v1/integrations/" + w.wiki.ID + "/activity?follow=true&after=100000"})
	if err != nil || response.Stream == nil {
		w.t.Fatal(response, err)
	}
	if _, err := response.Stream.Next(w.ctx); err != nil {
		w.t.Fatal(err)
	}
	return response.Stream
}

func TestWhatIsFollowedEndsWithItsContextItsStreamOrTheEngine(t *testing.T) {
	w := inMemory(t)
	stream := w.follow(w.ctx)
	short, cancel := context.WithTimeout(w.ctx, time.Millisecond)
	defer cancel()
	for i := 0; i < 2; i++ { // the piece that was asked for is waited for again
		if _, err := stream.Next(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	}
	ended := make(chan error, 1)
	go func() {
		_, err := stream.Next(w.ctx)
		ended <- err
	}()
	if err := stream.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, ErrClosed) {
		t.Error(err)
	}

	reading, stop := context.WithCancel(w.ctx)
	byContext := w.follow(reading)
	stop()
	if _, err := byContext.Read(make([]byte, 10)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	byContext.Close()

	byEngine := w.follow(w.ctx)
	go func() {
		_, err := io.ReadAll(byEngine)
		ended <- err
	}()
	if err := w.engine.Close(w.ctx); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if err := byEngine.Close(); err != nil {
		t.Error(err)
	}
}

func TestABodyThatWasForgottenIsLetGoOf(t *testing.T) {
	w := inMemory(t)
	w.follow(w.ctx)
	if !comesTo(0, func() int64 {
		w.engine.waiters.Lock()
		defer w.engine.waiters.Unlock()
		return int64(len(w.engine.waiters.byID))
	}) {
		t.Error("somebody still waits for it")
	}
}

func TestMeIsWhomTheProgramHasAuthenticated(t *testing.T) {
	w := inMemory(t)
	id := w.addUser("ann")
	request := w.request("GET", "/Me", "")
	if got, err := w.engine.Do(w.ctx, request); err != nil || got.Status != 501 {
		t.Fatal(err, got)
	}
	request.Subject = id
	if got, err := w.engine.Do(w.ctx, request); err != nil || got.Status != 200 || !bytes.Contains(got.Body, []byte(id)) {
		t.Fatal(err, got)
	}
}
