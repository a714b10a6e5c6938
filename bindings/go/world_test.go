package deprov

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"runtime"
	"testing"
	"time"
)

// TestMain looks, after everything, whether the library has given back what it was lent.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 && !comesTo(0, func() int64 { return handles.Load() }) {
		println("deprov: the library still holds", handles.Load(), "values of Go after all engines are gone")
		code = 1
	}
	os.Exit(code)
}

// comesTo waits for what goes on behind calls that are over: goroutines of connectors, finalizers.
func comesTo(want int64, now func() int64) bool {
	until := time.Now().Add(2 * time.Minute)
	for now() != want {
		if time.Now().After(until) {
			return false
		}
		runtime.GC()
		runtime.Gosched()
	}
	return true
}

// world is an engine with one integration.
type world struct {
	t         testing.TB
	engine    *Engine
	ctx       context.Context
	workspace *Workspace
	wiki      *CreatedIntegration
}

func (w *world) by() Caller { return Caller{Workspace: w.workspace.ID} }

func openIn(t testing.TB, options Options) *Engine {
	t.Helper()
	engine, err := Open(context.Background(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close(context.Background()) })
	return engine
}

func newWorld(t testing.TB, options Options, integration Integration) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	w := &world{t: t, engine: openIn(t, options), ctx: ctx}
	var err error
	if w.workspace, err = w.engine.CreateWorkspace(ctx, "acme", "owner"); err != nil {
		t.Fatal(err)
	}
	if integration.Name == "" {
		integration = Integration{Name: "Wiki", IdP: "okta", Connector: "null"}
	}
	if w.wiki, err = w.engine.CreateIntegration(ctx, w.by(), integration); err != nil {
		t.Fatal(err)
	}
	return w
}

func inMemory(t testing.TB) *world { return newWorld(t, Options{InMemory: true}, Integration{}) }

func (w *world) request(method, path, body string) *Request {
	return &Request{Method: method, Target: w.wiki.SCIMBasePath + path, Body: []byte(body), Peer: "192.0.2.1",
		Header: http.Header{"Authorization": {"Bearer " + w.wiki.SCIMToken}, "Content-Type": {"application/scim+json"}}}
}

func (w *world) scim(method, path, body string) *Response {
	w.t.Helper()
	response, err := w.engine.Do(w.ctx, w.request(method, path, body))
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	return response
}

func (w *world) addUser(name string) string {
	w.t.Helper()
	body, _ := json.Marshal(map[string]any{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"},
		"userName": name, "active": true})
	response := w.scim("POST", "/Users", string(body))
	if response.Status != 201 {
		w.t.Fatalf("POST: %d %s", response.Status, response.Body)
	}
	var made struct{ ID string }
	if err := json.Unmarshal(response.Body, &made); err != nil {
		w.t.Fatal(err)
	}
	return made.ID
}

func (w *world) deactivate(id string) {
	w.t.Helper()
	response := w.scim("PATCH", "/Users/"+id, `{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
		"Operations": [{"op": "replace", "value": {"active": false}}]}`)
	if response.Status/100 != 2 {
		w.t.Fatalf("PATCH: %d %s", response.Status, response.Body)
	}
}

// waitFor reads the activity until the event is there.
func (w *world) waitFor(event string) Activity {
	w.t.Helper()
	rows := w.engine.Activity(w.ctx, w.by(), RowsOptions{Integration: w.wiki.ID})
	defer rows.Close()
	for {
		for rows.Next() {
			if rows.Value().Event == event {
				return rows.Value()
			}
		}
		if rows.Err() != nil {
			w.t.Fatalf("waiting for %s: %v", event, rows.Err())
		}
	}
}
