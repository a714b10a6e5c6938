package deprov

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// polled is a company whose people another integration of it serves over SCIM, which a source polls.
func polled(t *testing.T) (c *company, source *Source, leave func(name string)) {
	c = newCompany(t)
	hr, err := c.engine.CreateIntegration(c.ctx, c.by(), Integration{Name: "HR", IdP: "okta", Connector: "null"})
	if err != nil {
		t.Fatal(err)
	}
	server := c.serve(c.engine.SCIMHandler())
	ids := make(map[string]string)
	for _, name := range staff {
		response, body := c.http(server, "POST", hr.SCIMBasePath+"/Users", hr.SCIMToken,
			`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"active":true,"userName":"`+name+`","externalId":"00u-`+name+`"}`)
		var made struct{ ID string }
		if err := json.Unmarshal([]byte(body), &made); err != nil || response.StatusCode != 201 {
			t.Fatal(err, response.Status, body)
		}
		ids[name] = made.ID
	}
	source, err = c.engine.AddSource(c.ctx, c.by(), c.wiki.ID, AddSource{Name: "idp", Kind: "scim", Config: SourceConfig{
		Auth: TokenAuth{Token: Secret(hr.SCIMToken)}, Poll: &SourcePolls{FloorS: 86400, CeilingS: 86400},
		More: map[string]any{"scim": map[string]any{"base_url": server.URL + hr.SCIMBasePath, "allow_http": true, "id": "externalId"}}}})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(source.Config), hr.SCIMToken) {
		t.Error("the credential is shown")
	}
	var shown SourceConfig
	if err := json.Unmarshal(source.Config, &shown); err != nil || shown.Poll.FloorS != 86400 {
		t.Error(err, shown)
	}
	if token, ok := shown.Auth.(TokenAuth); !ok || token.Token != "" {
		t.Error(shown.Auth)
	}
	return c, source, func(name string) {
		if response, body := c.http(server, "DELETE", hr.SCIMBasePath+"/Users/"+ids[name], hr.SCIMToken, ""); response.StatusCode != 204 {
			t.Fatal(response.Status, body)
		}
	}
}

func TestAnIDNamesNothingButWhatItIsOf(t *testing.T) {
	c := newCompany(t)
	source := c.source
	// As a path each of them would lead to the integration, to the list of sources, or to another call.
	for _, id := range []struct{ integration, source string }{
		{c.wiki.ID, ""}, {"", source}, {c.wiki.ID, "."}, {c.wiki.ID, ".."}, {c.wiki.ID + "?", source}, {c.wiki.ID + "#", source},
		{c.wiki.ID, "?"}, {c.wiki.ID, "#" + source}, {c.wiki.ID, source + "/unlinked"}, {c.wiki.ID, "%2e%2e"}, {c.wiki.ID, "hr"},
		{c.wiki.ID, "../../" + c.wiki.ID + "/sources/" + source}, {c.wiki.ID + "/sources/" + source, "x"}, {c.wiki.ID, "a\nb"}, {c.wiki.ID, "\x00"},
	} {
		calls := map[string]error{}
		_, calls["Source"] = c.engine.Source(c.ctx, c.by(), id.integration, id.source)
		_, calls["SetSource"] = c.engine.SetSource(c.ctx, c.by(), id.integration, id.source, map[string]any{"max_users": 10})
		_, calls["PollSource"] = c.engine.PollSource(c.ctx, c.by(), id.integration, id.source, PollOptions{})
		_, calls["UnlinkedSubjects"] = c.engine.UnlinkedSubjects(c.ctx, c.by(), id.integration, id.source)
		_, calls["BeginList"] = c.engine.BeginList(c.ctx, c.by(), id.integration, id.source, ListOptions{})
		calls["LinkSubject"] = c.engine.LinkSubject(c.ctx, c.by(), id.integration, id.source, source, "x")
		calls["VerifyStream"] = c.engine.VerifyStream(c.ctx, c.by(), id.integration, id.source)
		calls["RemoveSource"] = c.engine.RemoveSource(c.ctx, c.by(), id.integration, id.source)
		for call, err := range calls {
			if !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrInvalidArgument) {
				t.Errorf("%s of %q, %q: %v", call, id.integration, id.source, err)
			}
		}
	}
	if all, err := c.engine.Sources(c.ctx, c.by(), c.wiki.ID); err != nil || len(all) != 1 {
		t.Error(err, all)
	}
	if _, err := c.engine.Sources(c.ctx, c.by(), c.wiki.ID+"?limit=1#"); err == nil {
		t.Error("what is no id is taken for one")
	}
}

func TestWhatIsPolledHasTypes(t *testing.T) {
	c, source, leave := polled(t)
	first, err := c.engine.PollSource(c.ctx, c.by(), c.wiki.ID, source.ID, PollOptions{})
	if err != nil || first.Round != "complete" || first.Listed != int64(len(staff)) || first.Ends != 0 {
		t.Fatal(err, first)
	}
	shown, err := c.engine.Source(c.ctx, c.by(), c.wiki.ID, source.ID)
	if err != nil || shown.Health != "ok" || shown.NextPoll.IsZero() || shown.Poll == nil {
		t.Fatal(err, shown)
	}
	if p := shown.Poll; p.Round != "complete" || time.Since(p.CompleteAt) > time.Hour || p.LagS == nil || p.IntervalS == nil {
		t.Error(p)
	}
	leave("fay")
	dry, err := c.engine.PollSource(c.ctx, c.by(), c.wiki.ID, source.ID, PollOptions{DryRun: true, Complete: true, Differences: 1})
	if err != nil || !dry.DryRun || dry.Ends != 1 || len(dry.Differences) != 1 || dry.Differences[0].UserName != "fay" {
		t.Fatal(err, dry)
	}
	if next, err := c.engine.PollSource(c.ctx, c.by(), c.wiki.ID, source.ID, PollOptions{Complete: true}); err != nil || next.Work == "" {
		t.Fatal(err, next)
	}
	c.waitFor("removal.requested")
	if asked, err := c.engine.RereadSubject(c.ctx, c.by(), c.wiki.ID, Reread{ID: "00u-ann"}); err != nil || asked != 1 {
		t.Error(err, asked)
	}
	if _, err := c.engine.RereadSubject(c.ctx, c.by(), c.wiki.ID, Reread{}); !errors.Is(err, ErrInvalidArgument) {
		t.Error(err)
	}
	slower, err := c.engine.SetSource(c.ctx, c.by(), c.wiki.ID, source.ID, map[string]any{"poll": map[string]any{"floor_s": 7200}})
	if err != nil || !strings.Contains(string(slower.Config), "7200") || slower.Users != int64(len(staff)-1) {
		t.Error(err, slower)
	}
	if _, err := c.engine.SetSource(c.ctx, c.by(), c.wiki.ID, source.ID, map[string]any{"link": "id"}); !errors.Is(err, ErrInvalidArgument) {
		t.Error(err)
	}
	// One that is handed in is not polled.
	if _, err := c.engine.PollSource(c.ctx, c.by(), c.wiki.ID, c.source, PollOptions{}); err == nil {
		t.Error("it was polled")
	}
	if rows, err := c.engine.Source(c.ctx, c.by(), c.wiki.ID, c.source); err != nil || rows.Poll != nil || !rows.NextPoll.IsZero() {
		t.Error(err, rows)
	}
}

func TestSecurityEventsHaveTypes(t *testing.T) {
	c := newCompany(t)
	signals, err := c.engine.AddSource(c.ctx, c.by(), c.wiki.ID, AddSource{Name: "signals", Kind: "events", Config: map[string]any{
		"issuer": "https://idp.example.com/", "audience": []string{"https://sp.example.com"},
		"jwks_uri": "https://idp.example.com/keys", "stream_id": "f67e"}})
	if err != nil {
		t.Fatal(err)
	}
	if found, err := c.engine.UnlinkedSubjects(c.ctx, c.by(), c.wiki.ID, signals.ID); err != nil || len(found) != 0 {
		t.Error(err, found)
	}
	subjects := c.engine.Subjects(c.ctx, c.by(), RowsOptions{Integration: c.wiki.ID})
	defer subjects.Close()
	if !subjects.Next() {
		t.Fatal(subjects.Err())
	}
	if err := c.engine.LinkSubject(c.ctx, c.by(), c.wiki.ID, signals.ID, subjects.Value().ID, "00u1"); err != nil {
		t.Error(err)
	}
	if err := c.engine.LinkSubject(c.ctx, c.by(), c.wiki.ID, signals.ID, "ann", "00u1"); !errors.Is(err, ErrInvalidArgument) {
		t.Error(err)
	}
	if err := c.engine.VerifyStream(c.ctx, c.by(), c.wiki.ID, signals.ID); err == nil {
		t.Error("it has no place to ask")
	}
	server := c.serve(c.engine.EventHandler())
	for path, status := range map[string]int{"/events/" + signals.ID: 415, "/events/nonsense": 404, "/metrics": 404} {
		if response, body := c.http(server, http.MethodPost, path, "", "no token"); response.StatusCode != status {
			t.Error(path, response.Status, body)
		}
	}
}
