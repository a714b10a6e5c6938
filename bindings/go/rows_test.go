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
		holds.Value().Opened.IsZero() || holds.Restart() != "" {
		t.Errorf("%+v %v", holds.Value(), holds.Err())
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
	w := newWorld(t, Options{InMemory: true}, Integration{})
	ann := w.addUser("ann")
	c, err := w.engine.openCursor(w.by(), rowsSubjects, RowsOptions{Integration: w.wiki.ID})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.ctx)
	go cancel()
	row, err := c.next(ctx)
	if err != nil { // it came too late, or not: the row comes
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		row, err = c.next(w.ctx)
	}
	var subject Subject
	if err != nil || json.Unmarshal(row, &subject) != nil || subject.ID != ann {
		t.Error(string(row), err)
	}
	c.close()

	again, err := w.engine.openCursor(w.by(), rowsSubjects, RowsOptions{Integration: w.wiki.ID})
	if err != nil {
		t.Fatal(err)
	}
	ended, stop := context.WithCancel(w.ctx)
	go stop()
	_, _ = again.next(ended)
	again.close() // also while a row is being read
}
