package deprov

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"
)

// company is a world with people whom a source called "hr" knows, too.
type company struct {
	*world
	source string
}

var staff = []string{"ann", "bob", "cleo", "dan", "eve", "fay"}

func newCompany(t testing.TB) *company {
	c := &company{world: inMemory(t)}
	for _, name := range staff {
		made := c.scim("POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"active":true,"userName":"`+
			name+`","externalId":"00u-`+name+`"}`)
		if made.Status != 201 {
			t.Fatal(made.Status)
		}
	}
	source, err := c.engine.AddSource(c.ctx, c.by(), c.wiki.ID, AddSource{Name: "hr", Kind: "rows"})
	if err != nil {
		t.Fatal(err)
	}
	c.source = source.ID
	return c
}

func listed(names ...string) []SourceUser {
	var users []SourceUser
	for _, name := range names {
		users = append(users, SourceUser{ID: "00u-" + name, ExternalID: "00u-" + name, UserName: name})
	}
	return users
}

func (c *company) begin(t testing.TB, options ListOptions) *SourceList {
	list, err := c.engine.BeginList(c.ctx, c.by(), c.wiki.ID, c.source, options)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func (c *company) sync(t testing.TB, options ListOptions, names ...string) *ListReport {
	list := c.begin(t, options)
	defer list.Close()
	if err := list.Add(c.ctx, listed(names...)...); err != nil {
		t.Fatal(err)
	}
	report, err := list.End(c.ctx, int64(len(names)))
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestWhoIsMissingFromTheNextListLosesAccess(t *testing.T) {
	c := newCompany(t)
	if first := c.sync(t, ListOptions{}, staff...); !first.First || first.Ends != 0 {
		t.Fatal(first)
	}
	if dry := c.sync(t, ListOptions{DryRun: true}, staff[:5]...); !dry.DryRun || dry.Ends != 1 {
		t.Fatal(dry)
	}
	next := c.sync(t, ListOptions{Differences: 1}, staff[:5]...)
	if next.Ends != 1 || len(next.Differences) != 1 || next.Differences[0].UserName != "fay" {
		t.Fatal(next)
	}
	all, err := c.engine.Sources(c.ctx, c.by(), c.wiki.ID)
	if err != nil || len(all) != 1 || all[0].Health != "ok" || all[0].Users != 5 {
		t.Fatal(err, all)
	}
}

func TestAListThatIsNotWholeIsRefused(t *testing.T) {
	c := newCompany(t)
	c.sync(t, ListOptions{}, staff...)
	list := c.begin(t, ListOptions{})
	defer list.Close()
	if err := list.Add(c.ctx, listed("ann")...); err != nil {
		t.Fatal(err)
	}
	if _, err := list.End(c.ctx, 6); !errors.Is(err, ErrInvalidArgument) {
		t.Fatal(err)
	}
	if err := list.Add(c.ctx, listed("bob")...); !errors.Is(err, ErrNotFound) { // it has ended
		t.Fatal(err)
	}
	if source, err := c.engine.Source(c.ctx, c.by(), c.wiki.ID, c.source); err != nil || source.Health != "failing" {
		t.Fatal(err, source)
	}
}

func TestAListThatIsClosedIsGivenUp(t *testing.T) {
	c := newCompany(t)
	list := c.begin(t, ListOptions{})
	if err := list.Close(); err != nil {
		t.Fatal(err)
	}
	if err := list.Close(); err != nil {
		t.Fatal(err)
	}
	if err := list.Add(c.ctx, listed("ann")...); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
	list = c.begin(t, ListOptions{})
	if err := list.GiveUp(c.ctx, "the database was away"); err != nil {
		t.Fatal(err)
	}
	if source, err := c.engine.Source(c.ctx, c.by(), c.wiki.ID, c.source); err != nil || source.Health != "failing" {
		t.Fatal(err, source)
	}
	if err := c.engine.RemoveSource(c.ctx, c.by(), c.wiki.ID, c.source); err != nil {
		t.Fatal(err)
	}
	if _, err := c.engine.BeginList(c.ctx, c.by(), c.wiki.ID, c.source, ListOptions{}); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
}

func TestMoreUsersThanGoInAtOnce(t *testing.T) {
	c := newCompany(t)
	const many = 25000
	users := make([]SourceUser, many)
	for i := range users {
		users[i].ID = strconv.Itoa(i)
	}
	list := c.begin(t, ListOptions{DryRun: true})
	defer list.Close()
	if err := list.Add(c.ctx, users...); err != nil {
		t.Fatal(err)
	}
	if report, err := list.End(c.ctx, many); err != nil || report.Listed != many {
		t.Fatal(err, report)
	}
}

func TestWhatAListRefuses(t *testing.T) {
	c := newCompany(t)
	c.sync(t, ListOptions{}, staff...)
	yesterday := ListOptions{Begun: time.Now().Add(-24 * time.Hour)}
	if _, err := c.engine.BeginList(c.ctx, c.by(), c.wiki.ID, c.source, yesterday); !errors.Is(err, ErrConflict) {
		t.Fatal(err)
	}
	list := c.begin(t, ListOptions{})
	defer list.Close()
	if err := list.Add(c.ctx, SourceUser{ID: "\xff"}); !errors.Is(err, ErrInvalidArgument) {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(c.ctx)
	cancel()
	if err := list.Add(over, listed("ann")...); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if err := list.Add(c.ctx, SourceUser{}); err == nil {
		t.Fatal("a user without an id")
	}
}

func TestAListOutlivesItsEngine(t *testing.T) {
	c := newCompany(t)
	list := c.begin(t, ListOptions{})
	if err := c.engine.Close(c.ctx); err != nil {
		t.Fatal(err)
	}
	if err := list.Add(c.ctx, listed("ann")...); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
	if err := list.Close(); err != nil {
		t.Fatal(err)
	}
}
