package deprov

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"sort"
	"testing"
	"time"
)

func collect[T any](t *testing.T, rows *Rows[T], of func(T) string) []string {
	t.Helper()
	defer rows.Close()
	out := []string{}
	for rows.Next() {
		out = append(out, of(rows.Value()))
		if !json.Valid(rows.Raw()) {
			t.Errorf("%s", rows.Raw())
		}
	}
	if rows.Err() != nil {
		t.Fatal(rows.Err())
	}
	return out
}

func TestRowsArePulledOneByOneAndTakenUpAgain(t *testing.T) {
	w := inMemory(t)
	var ids []string
	for i := 0; i < 7; i++ {
		ids = append(ids, w.addUser(fmt.Sprint("user", i)))
	}
	sort.Strings(ids)
	idOf := func(s Subject) string { return s.ID }
	o := RowsOptions{Integration: w.wiki.ID, Page: 3}
	if got := collect(t, w.engine.Subjects(w.ctx, w.by(), o), idOf); !reflect.DeepEqual(got, ids) {
		t.Error(got)
	}
	// Without a context that can end, no goroutine stands between.
	if got := collect(t, w.engine.Subjects(context.Background(), w.by(), o), idOf); !reflect.DeepEqual(got, ids) {
		t.Error(got)
	}

	rows := w.engine.Subjects(w.ctx, w.by(), o)
	for i := 0; i < 4; i++ {
		if !rows.Next() {
			t.Fatal(rows.Err())
		}
	}
	o.Restart = rows.Restart()
	rows.Close()
	if rows.Next() || rows.Err() != nil || rows.Close() != nil {
		t.Error("closed rows go on")
	}
	if got := collect(t, w.engine.Subjects(w.ctx, w.by(), o), idOf); !reflect.DeepEqual(got, ids[4:]) {
		t.Error(got)
	}
	elsewhere := w.engine.Jobs(w.ctx, w.by(), o)
	if elsewhere.Next() || !errors.Is(elsewhere.Err(), ErrInvalidCursor) {
		t.Error(elsewhere.Err())
	}
}

func TestActivityGoesOnWhereItHadEnded(t *testing.T) {
	w := inMemory(t)
	w.addUser("ann")
	rows := w.engine.Activity(w.ctx, w.by(), RowsOptions{Integration: w.wiki.ID})
	defer rows.Close()
	last := uint64(0)
	for rows.Next() {
		if rows.Value().Seq != last+1 || rows.Value().Hash == "" || rows.Value().Integration != w.wiki.ID {
			t.Errorf("%+v", rows.Value())
		}
		last = rows.Value().Seq
	}
	w.addUser("late")
	if !rows.Next() || rows.Value().Seq != last+1 {
		t.Error(rows.Value(), rows.Err())
	}
	ofWorkspace := collect(t, w.engine.Activity(w.ctx, w.by(), RowsOptions{}), func(a Activity) string { return a.Event })
	if len(ofWorkspace) == 0 {
		t.Error("making a workspace is on its activity")
	}
}

func TestNotificationsAreDrainedOnce(t *testing.T) {
	w := inMemory(t)
	typeOf := func(n Notification) string { return n.Type }
	o := RowsOptions{Integration: w.wiki.ID}
	rows := w.engine.Notifications(w.ctx, w.by(), o)
	if got := collect(t, rows, typeOf); !reflect.DeepEqual(got, []string{"lane.resumed"}) {
		t.Error(got)
	}
	o.Restart = rows.Restart()
	if err := w.engine.Admin(w.ctx, w.by(), "POST", "/integrations/"+w.wiki.ID+"/pause", nil, nil); err != nil {
		t.Fatal(err)
	}
	rows = w.engine.Notifications(w.ctx, w.by(), o)
	told := func(n Notification) string {
		if n.ID == "" || n.Integration != w.wiki.ID || n.IntegrationName != "Wiki" || n.Count != 1 || n.At.IsZero() {
			t.Errorf("%+v", n)
		}
		return n.Type
	}
	if got := collect(t, rows, told); !reflect.DeepEqual(got, []string{"lane.paused"}) {
		t.Error(got)
	}
	o.Restart = rows.Restart()
	if got := collect(t, w.engine.Notifications(w.ctx, w.by(), o), typeOf); len(got) != 0 {
		t.Error(got)
	}
}

func TestJobsAndHoldsAreTyped(t *testing.T) {
	w := inMemory(t)
	ann := w.addUser("ann")
	w.deactivate(ann)
	w.waitFor("removal.verified")
	filter := url.Values{"state": {"succeeded_verified"}}
	jobs := w.engine.Jobs(w.ctx, w.by(), RowsOptions{Integration: w.wiki.ID, Filter: filter})
	defer jobs.Close()
	found := false
	for jobs.Next() {
		job := jobs.Value()
		if job.Kind != "remove_access" {
			continue
		}
		found = true
		if job.Subject != ann || job.UserName != "ann" || job.Cause != "deactivated" || job.Created.IsZero() ||
			job.TimeToDeprovisionMS == nil {
			t.Errorf("%+v", job)
		}
	}
	if !found || jobs.Err() != nil {
		t.Error(jobs.Err())
	}
	if got := collect(t, w.engine.Holds(w.ctx, w.by(), RowsOptions{Integration: w.wiki.ID}), func(h Hold) string { return h.ID }); len(got) != 0 {
		t.Error(got)
	}
}

func TestAHoldIsListedWithWhatWaits(t *testing.T) {
	w := newWorld(t, Options{InMemory: true}, Integration{Name: "Wiki", IdP: "okta", Connector: "null",
		Policy: map[string]any{"guard": map[string]any{"absolute": 1}}})
	for i := 0; i < 4; i++ {
		w.addUser(fmt.Sprint("user", i))
	}
	for _, id := range collect(t, w.engine.Subjects(w.ctx, w.by(), RowsOptions{Integration: w.wiki.ID}), func(s Subject) string { return s.ID }) {
		w.deactivate(id)
	}
	holds := w.engine.Holds(w.ctx, w.by(), RowsOptions{Integration: w.wiki.ID})
	defer holds.Close()
	if !holds.Next() || holds.Value().State != "open" || holds.Value().Waiting == 0 || len(holds.Value().Listing) != 64 ||
		holds.Value().Opened.IsZero() || holds.Restart() == "" {
		t.Errorf("%+v %v", holds.Value(), holds.Err())
	}
	rest := w.engine.Holds(w.ctx, w.by(), RowsOptions{Integration: w.wiki.ID, Restart: holds.Restart()})
	if got := collect(t, rest, func(h Hold) string { return h.ID }); len(got) != 0 {
		t.Error(got)
	}
}

func TestRowsThatCannotBeReadSayWhy(t *testing.T) {
	w := inMemory(t)
	for _, c := range []struct {
		rows   *Rows[Subject]
		status Status
	}{
		{w.engine.Subjects(w.ctx, w.by(), RowsOptions{}), ErrInvalidArgument},
		{w.engine.Subjects(w.ctx, w.by(), RowsOptions{Integration: "wiki"}), ErrInvalidArgument},
		{w.engine.Subjects(w.ctx, w.by(), RowsOptions{Integration: w.wiki.ID, Page: -1}), ErrInvalidArgument},
		{w.engine.Subjects(w.ctx, Caller{Workspace: "x", Token: "y"}, RowsOptions{}), ErrInvalidArgument},
		{w.engine.Subjects(w.ctx, Caller{Token: "dpo_nobody"}, RowsOptions{Integration: w.wiki.ID}), ErrUnauthorized},
	} {
		if c.rows.Next() || !errors.Is(c.rows.Err(), c.status) {
			t.Errorf("%v, not %v", c.rows.Err(), c.status)
		}
		c.rows.Close()
	}
}

func TestNoRowIsLostWhereTheContextEndsFirst(t *testing.T) {
	engine := openIn(t, Options{InMemory: true, HostDriven: true}) // no page comes before somebody pumps
	p := &player{t: t, engine: engine}
	var workspace *Workspace
	p.wait(func() {
		var err error
		if workspace, err = engine.CreateWorkspace(context.Background(), "acme", "owner"); err != nil {
			t.Error(err)
		}
	})
	rows := engine.Activity(context.Background(), Caller{Workspace: workspace.ID}, RowsOptions{})
	defer rows.Close()
	for i := 0; i < 2; i++ {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		row, err := rows.cursor.next(ctx)
		cancel()
		if row != nil || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrTimeout) {
			t.Error(string(row), err)
		}
	}
	p.wait(func() {
		if !rows.Next() || rows.Value().Seq != 1 {
			t.Error(rows.Value(), rows.Err())
		}
	})
	ended := make(chan error, 1)
	go func() {
		for rows.Next() {
		}
		ended <- rows.Err()
	}()
	if err := engine.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil && !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func TestWhatAWebhookPostsHasTypes(t *testing.T) {
	var posted WebhookMessage
	err := json.Unmarshal([]byte(`{"type":"deprov.events","timestamp":"2026-11-30T12:00:00.000000Z","data":{"workspace":"w",`+
		`"webhook":"h","skipped":2,"events":[{"id":"n","type":"removal.verified","seq":7,"job":null}]}}`), &posted)
	if err != nil || posted.Data.Skipped != 2 || posted.Timestamp.Year() != 2026 || len(posted.Data.Events) != 1 ||
		posted.Data.Events[0].Type != "removal.verified" || posted.Data.Events[0].Seq != 7 {
		t.Error(err, posted)
	}
}
