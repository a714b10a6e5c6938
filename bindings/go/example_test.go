package deprov_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"sync"

	"deprov"
)

// An engine, a workspace, an integration, and a server of your own in front of it.
func Example() {
	ctx := context.Background()
	engine, err := deprov.Open(ctx, deprov.Options{InMemory: true})
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close(ctx)
	acme, err := engine.CreateWorkspace(ctx, "acme", "owner")
	if err != nil {
		log.Fatal(err)
	}
	wiki, err := engine.CreateIntegration(ctx, deprov.Caller{Workspace: acme.ID},
		deprov.Integration{Name: "Wiki", IdP: "okta", Connector: "null"})
	if err != nil {
		log.Fatal(err)
	}

	mux := http.NewServeMux()
	mux.Handle("/scim/", engine.SCIMHandler())
	server := httptest.NewServer(mux)
	defer server.Close()
	request, _ := http.NewRequest("GET", server.URL+wiki.SCIMBasePath+"/Users?count=1", nil)
	request.Header.Set("Authorization", "Bearer "+wiki.SCIMToken) // as the IdP does
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	fmt.Println(answer.Status)
	// Output: 200 OK
}

func ExampleError() {
	ctx := context.Background()
	engine, err := deprov.Open(ctx, deprov.Options{InMemory: true})
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close(ctx)
	acme, err := engine.CreateWorkspace(ctx, "acme", "")
	if err != nil {
		log.Fatal(err)
	}
	err = engine.Admin(ctx, deprov.Caller{Workspace: acme.ID}, "GET", "/integrations/nowhere", nil, nil)
	fmt.Println(errors.Is(err, deprov.ErrNotFound), errors.Is(err, deprov.ErrForbidden))
	var why *deprov.Error
	if errors.As(err, &why) {
		fmt.Println(why.Status)
	}
	// Output:
	// true false
	// not_found
}

// Rows are read a page at a time, and taken up again where they were left.
func ExampleRows() {
	ctx := context.Background()
	engine, err := deprov.Open(ctx, deprov.Options{InMemory: true})
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close(ctx)
	acme, err := engine.CreateWorkspace(ctx, "acme", "owner")
	if err != nil {
		log.Fatal(err)
	}
	by := deprov.Caller{Workspace: acme.ID}
	wiki, err := engine.CreateIntegration(ctx, by, deprov.Integration{Name: "Wiki", IdP: "okta", Connector: "null"})
	if err != nil {
		log.Fatal(err)
	}
	rows := engine.Activity(ctx, by, deprov.RowsOptions{Integration: wiki.ID})
	defer rows.Close()
	for rows.Next() {
		fmt.Println(rows.Value().Seq, rows.Value().Event)
	}
	if err := rows.Err(); err != nil {
		log.Fatal(err)
	}
	keep := rows.Restart() // where the next run goes on

	later := engine.Activity(ctx, by, deprov.RowsOptions{Integration: wiki.ID, Restart: keep})
	defer later.Close()
	fmt.Println("more:", later.Next())
	// Output:
	// 1 integration.created
	// 2 connection.made
	// 3 connection.checked
	// more: false
}

// Directory is a connector for an app that is a map.
type Directory struct {
	mu     sync.Mutex
	active map[string]bool
}

func (d *Directory) Describe() deprov.Description {
	read := deprov.Capability{Idempotency: deprov.IdempotentNaturally}
	change := deprov.Capability{Reversible: true, Idempotency: deprov.IdempotentNaturally, Verification: deprov.VerifiedByRead}
	return deprov.Description{ID: "directory", Operations: map[deprov.Operation]deprov.Capability{
		deprov.OpCheck: read, deprov.OpFind: read, deprov.OpRead: read, deprov.OpDisable: change, deprov.OpEnable: change}}
}

func (d *Directory) Connect(config json.RawMessage) (deprov.Connection, error) { return d, nil }

func (d *Directory) Call(ctx context.Context, call *deprov.Call) (deprov.Reply, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	id := call.Account
	if call.Operation == deprov.OpFind {
		id = call.UserName
	}
	active, known := d.active[id]
	switch call.Operation {
	case deprov.OpCheck:
		for id, active := range d.active { // any one account: it shows that they can be seen
			return deprov.Reply{Accounts: []deprov.Account{{ID: id, Active: deprov.Bool(active)}}}, nil
		}
		return deprov.Reply{}, nil
	case deprov.OpFind:
		if !known {
			return deprov.Reply{}, nil // nobody matches: no accounts
		}
	case deprov.OpDisable, deprov.OpEnable:
		if want := call.Operation == deprov.OpEnable; known && active != want {
			d.active[id] = want
			return deprov.Reply{Effect: deprov.EffectDone}, nil
		}
	}
	if !known {
		return deprov.Reply{}, &deprov.OutcomeError{Outcome: deprov.OutcomeNotFound, Detail: "there is no such account"}
	}
	reply := deprov.Reply{Accounts: []deprov.Account{{ID: id, UserName: id, Active: deprov.Bool(active)}}}
	if call.Operation != deprov.OpFind && call.Operation != deprov.OpRead {
		reply.Effect = deprov.EffectAlready
	}
	return reply, nil
}

// A connector answers calls, each in a goroutine of its own; what is removed is read back, and then verified.
func ExampleConnector() {
	ctx := context.Background()
	app := &Directory{active: map[string]bool{"ann": true}}
	engine, err := deprov.Open(ctx, deprov.Options{InMemory: true, Connectors: []deprov.Connector{app}})
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close(ctx)
	acme, err := engine.CreateWorkspace(ctx, "acme", "owner")
	if err != nil {
		log.Fatal(err)
	}
	by := deprov.Caller{Workspace: acme.ID}
	wiki, err := engine.CreateIntegration(ctx, by, deprov.Integration{Name: "Wiki", IdP: "okta", Connector: "directory"})
	if err != nil {
		log.Fatal(err)
	}
	scim := func(method, path, body string) {
		answer, err := engine.Do(ctx, &deprov.Request{Method: method, Target: wiki.SCIMBasePath + path, Body: []byte(body),
			Header: http.Header{"Authorization": {"Bearer " + wiki.SCIMToken}, "Content-Type": {"application/scim+json"}}})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(method, answer.Status)
	}
	scim("POST", "/Users", `{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ann", "active": true}`)

	subjects := engine.Subjects(ctx, by, deprov.RowsOptions{Integration: wiki.ID})
	defer subjects.Close()
	for subjects.Next() {
		scim("DELETE", "/Users/"+subjects.Value().ID, "")
	}
	events := engine.Activity(ctx, by, deprov.RowsOptions{Integration: wiki.ID})
	defer events.Close()
	for removed := false; !removed; { // a program that has more to do follows the activity instead
		for events.Next() {
			if events.Value().Event == "removal.verified" {
				fmt.Println(events.Value().Event)
				removed = true
			}
		}
		if events.Err() != nil {
			log.Fatal(events.Err())
		}
	}
	// Output:
	// POST 201
	// DELETE 204
	// removal.verified
}
