package deprov

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The life that the tests of every language play: tests/scenario/README.md says how.
type scenario struct {
	ClockMS   int64 `json:"clock_ms"`
	Connector struct {
		ID         string
		Operations map[string]json.RawMessage
		Accounts   []Account
	}
	Integration  json.RawMessage
	Steps        []scenarioStep
	Tampering    []tampering
	ActivityKeys []string `json:"activity_keys"`
	Activity     []string
	Accounts     map[string]bool
}

type scenarioStep struct {
	Name        string
	SCIM, Admin *struct {
		Method, Path string
		Body         json.RawMessage
	}
	Status    int
	Save      map[string]string
	AdvanceMS int64 `json:"advance_ms"`
	Evidence  bool
	List      *struct {
		Source string
		DryRun bool `json:"dry_run"`
		Users  []struct {
			ID         string
			ExternalID string `json:"external_id"`
			UserName   string `json:"user_name"`
			Active     *bool
		}
		Count int64
	}
	Report  map[string]any
	Refused string
}

type tampering struct {
	Name    string
	Record  int
	Replace []string
	Remove  bool
	Swap    bool
	Found   string
}

// roster is the connector of the scenario.
type roster struct {
	described Description
	accounts  []*Account
}

func newRoster(t *testing.T, s *scenario) *roster {
	r := &roster{described: Description{ID: s.Connector.ID, Operations: map[Operation]Capability{}, Inline: true}}
	for name, text := range s.Connector.Operations {
		operation := Operation(-1)
		for i, known := range operationNames {
			if known == name {
				operation = Operation(i)
			}
		}
		var c struct {
			Reversible   bool
			Idempotency  Idempotency
			Verification Verification
		}
		if err := json.Unmarshal(text, &c); err != nil || operation < 0 {
			t.Fatal(name, err)
		}
		r.described.Operations[operation] = Capability{Reversible: c.Reversible, Idempotency: c.Idempotency, Verification: c.Verification}
	}
	for _, a := range s.Connector.Accounts {
		account := a
		r.accounts = append(r.accounts, &account)
	}
	return r
}

func (r *roster) Describe() Description                       { return r.described }
func (r *roster) Connect(json.RawMessage) (Connection, error) { return r, nil }

func (r *roster) Call(_ context.Context, call *Call) (Reply, error) {
	var found []Account
	for _, a := range r.accounts {
		switch call.Operation {
		case OpFind:
			if (call.ExternalID != "" && a.ExternalID == call.ExternalID) || (call.UserName != "" && a.UserName == call.UserName) {
				found = append(found, *a)
			}
		case OpRead:
			if a.ID == call.Account {
				found = append(found, *a)
			}
		case OpList:
			found = append(found, *a)
		case OpDisable, OpEnable:
			if want := call.Operation == OpEnable; a.ID == call.Account {
				effect := EffectDone
				if *a.Active == want {
					effect = EffectAlready
				}
				a.Active = Bool(want)
				return Reply{Effect: effect}, nil
			}
		}
	}
	switch call.Operation {
	case OpRevokeSessions, OpRemove:
		return Reply{Effect: EffectDone}, nil
	case OpRead, OpDisable, OpEnable:
		if len(found) == 0 {
			return Reply{}, &OutcomeError{Outcome: OutcomeNotFound}
		}
	}
	return Reply{Accounts: found}, nil
}

// player carries a scenario out on an engine that nobody else pumps.
type player struct {
	t         *testing.T
	engine    *Engine
	clock     atomic.Int64 // milliseconds
	by        Caller
	wiki      CreatedIntegration
	names     map[string]string // name to what was saved
	workspace string
	tampering []tampering
}

// wait pumps until the call has come back.
func (p *player) wait(call func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		call()
	}()
	for {
		if _, err := p.engine.Pump(time.Millisecond); err != nil {
			p.t.Fatal(err)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}

func (p *player) settle() {
	for {
		wait, err := p.engine.Pump(10 * time.Millisecond)
		if err != nil {
			p.t.Fatal(err)
		}
		if wait != 0 {
			return
		}
	}
}

func (p *player) fill(text string) string {
	for name, value := range p.names {
		text = strings.ReplaceAll(text, "${"+name+"}", value)
	}
	return text
}

func pointed(t *testing.T, body []byte, pointer string) string {
	var at any
	if err := json.Unmarshal(body, &at); err != nil {
		t.Fatal(err)
	}
	for _, token := range strings.Split(pointer, "/")[1:] {
		switch value := at.(type) {
		case map[string]any:
			at = value[token]
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i >= len(value) {
				t.Fatalf("%s is not in %s", pointer, body)
			}
			at = value[i]
		}
	}
	text, ok := at.(string)
	if !ok {
		t.Fatalf("%s is no text in %s", pointer, body)
	}
	return text
}

func (p *player) play(step scenarioStep) {
	request := &Request{}
	switch {
	case step.AdvanceMS != 0:
		p.clock.Add(step.AdvanceMS)
		return
	case step.Evidence:
		p.evidence()
		return
	case step.List != nil:
		p.handIn(step)
		return
	case step.SCIM != nil:
		request.Method, request.Target = step.SCIM.Method, p.wiki.SCIMBasePath+p.fill(step.SCIM.Path)
		request.Body = []byte(p.fill(string(step.SCIM.Body)))
		request.Header = map[string][]string{"Authorization": {"Bearer " + p.wiki.SCIMToken}, "Content-Type": {"application/scim+json"}}
	case step.Admin != nil:
		request.Method, request.Target = step.Admin.Method, "/api/v1"+p.fill(step.Admin.Path)
		request.Body = []byte(p.fill(string(step.Admin.Body)))
		request.Local, request.Workspace = true, p.workspace
		if len(request.Body) > 0 {
			request.Header = map[string][]string{"Content-Type": {"application/json"}}
		}
	}
	var response *Response
	var err error
	p.wait(func() { response, err = p.engine.Do(context.Background(), request) })
	if err != nil || response.Status != step.Status {
		p.t.Fatalf("%s: %v %d %s", step.Name, err, response.Status, response.Body)
	}
	for name, pointer := range step.Save {
		p.names[name] = pointed(p.t, response.Body, pointer)
	}
}

// handIn is a list of a source.
func (p *player) handIn(step scenarioStep) {
	users := []SourceUser{}
	for _, u := range step.List.Users {
		users = append(users, SourceUser{ID: u.ID, ExternalID: u.ExternalID, UserName: u.UserName, Inactive: u.Active != nil && !*u.Active})
	}
	ctx := context.Background()
	var report *ListReport
	var err error
	p.wait(func() {
		var list *SourceList
		list, err = p.engine.BeginList(ctx, p.by, p.wiki.ID, p.fill(step.List.Source), ListOptions{DryRun: step.List.DryRun})
		if err != nil {
			return
		}
		defer list.Close()
		if err = list.Add(ctx, users...); err == nil {
			report, err = list.End(ctx, step.List.Count)
		}
	})
	if step.Refused != "" {
		if e := new(Error); !errors.As(err, &e) || e.Status.String() != step.Refused {
			p.t.Fatalf("%s: %v", step.Name, err)
		}
		return
	}
	if err != nil {
		p.t.Fatalf("%s: %v", step.Name, err)
	}
	var all map[string]any
	text, err := json.Marshal(report)
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	for name, value := range step.Report {
		if !reflect.DeepEqual(all[name], value) {
			p.t.Fatalf("%s: %s is %v", step.Name, name, all[name])
		}
	}
}

// evidence verifies the export, and looks whether tampering with it is found.
func (p *player) evidence() {
	var export bytes.Buffer
	var err error
	p.wait(func() {
		err = p.engine.Evidence(context.Background(), p.by, url.Values{"integration": {p.wiki.ID}}, &export)
	})
	if err != nil {
		p.t.Fatal(err)
	}
	verdict, err := VerifyEvidence(bytes.NewReader(export.Bytes()), VerifyOptions{})
	if err != nil || !verdict.Holds || int(verdict.Records) != len(p.activity(nil)) {
		p.t.Fatal(err, verdict)
	}
	for _, how := range p.tampering {
		lines := strings.SplitAfter(export.String(), "\n")
		at := how.Record + 1
		switch {
		case how.Remove:
			lines[at] = ""
		case how.Swap:
			lines[at], lines[at+1] = lines[at+1], lines[at]
		default:
			lines[at] = strings.Replace(lines[at], how.Replace[0], how.Replace[1], 1)
		}
		verdict, err := VerifyEvidence(strings.NewReader(strings.Join(lines, "")), VerifyOptions{})
		if err != nil || verdict.Holds || fmt.Sprint(verdict.Problems[0].Kind, " ", verdict.Problems[0].Seq) != how.Found {
			p.t.Fatal(how.Name, err, verdict)
		}
	}
}

// activity is what happened, each record as one line.
func (p *player) activity(keys []string) []string {
	whose := map[string]string{"": "-"}
	for name, value := range p.names {
		whose[value] = name
	}
	lines := []string{}
	p.wait(func() {
		rows := p.engine.Activity(context.Background(), p.by, RowsOptions{Integration: p.wiki.ID})
		defer rows.Close()
		for rows.Next() {
			record := rows.Value()
			subject, known := whose[record.Subject]
			if !known {
				subject = "new"
			}
			line := record.Event + " " + subject
			var detail map[string]json.RawMessage
			if err := json.Unmarshal(record.Detail, &detail); err != nil {
				p.t.Error(err)
			}
			for _, key := range keys {
				value, ok := detail[key]
				if !ok {
					continue
				}
				var text string
				if json.Unmarshal(value, &text) != nil {
					text = string(value)
				}
				line += " " + key + "=" + text
			}
			lines = append(lines, line)
		}
		if rows.Err() != nil {
			p.t.Error(rows.Err())
		}
	})
	return lines
}

func TestOneLifeIsTheSameInGo(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "tests", "scenario", "lifecycle.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s scenario
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	app := newRoster(t, &s)
	p := &player{t: t, names: map[string]string{}, tampering: s.Tampering}
	p.clock.Store(s.ClockMS)
	p.engine = openIn(t, Options{InMemory: true, HostDriven: true, Connectors: []Connector{app},
		Clock: func() time.Time { return time.UnixMilli(p.clock.Load()) }})
	p.wait(func() {
		workspace, err := p.engine.CreateWorkspace(context.Background(), "acme", "owner")
		if err != nil {
			t.Error(err)
			return
		}
		p.workspace, p.by = workspace.ID, Caller{Workspace: workspace.ID}
	})
	p.wait(func() {
		if err := p.engine.Admin(context.Background(), p.by, "POST", "/integrations", s.Integration, &p.wiki); err != nil {
			t.Error(err)
		}
	})
	p.names["integration"] = p.wiki.ID
	p.settle()
	if t.Failed() {
		return
	}
	for _, step := range s.Steps {
		p.clock.Add(1)
		p.play(step)
		p.settle()
	}
	if got := p.activity(s.ActivityKeys); !reflect.DeepEqual(got, s.Activity) {
		for i := 0; i < len(got) || i < len(s.Activity); i++ {
			at := func(lines []string) string {
				if i < len(lines) {
					return lines[i]
				}
				return "(nothing)"
			}
			if at(got) != at(s.Activity) {
				t.Fatalf("record %d: %s\n  expected: %s", i+1, at(got), at(s.Activity))
			}
		}
	}
	accounts := map[string]bool{}
	for _, a := range app.accounts {
		accounts[a.ID] = *a.Active
	}
	if !reflect.DeepEqual(accounts, s.Accounts) {
		t.Error(fmt.Sprint(accounts))
	}
}
