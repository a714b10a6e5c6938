package deprov

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func (w *world) serve(h http.Handler) *httptest.Server {
	server := httptest.NewServer(h)
	w.t.Cleanup(server.Close)
	return server
}

func (w *world) http(server *httptest.Server, method, path, token, body string) (*http.Response, string) {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.ctx, method, server.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	request.Header.Set("Content-Type", "application/scim+json")
	response, err := server.Client().Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return response, string(all)
}

func TestTheHandlerAnswersAsTheEngineDoes(t *testing.T) {
	w := inMemory(t)
	server := w.serve(w.engine.Handler())
	base := w.wiki.SCIMBasePath
	response, body := w.http(server, "POST", base+"/Users", w.wiki.SCIMToken,
		`{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ann"}`)
	if response.StatusCode != 201 || !strings.HasPrefix(response.Header.Get("Content-Type"), "application/scim+json") {
		t.Fatal(response, body)
	}
	location := response.Header.Get("Location")
	path := location[strings.Index(location, "/scim/"):]
	if response, body = w.http(server, "GET", path+"?attributes=userName", w.wiki.SCIMToken, ""); response.StatusCode != 200 ||
		!strings.Contains(body, `"ann"`) {
		t.Error(response, body)
	}
	if response, body = w.http(server, "HEAD", path, w.wiki.SCIMToken, ""); response.StatusCode != 200 || body != "" {
		t.Error(response, body)
	}
	if response, body = w.http(server, "DELETE", path, w.wiki.SCIMToken, ""); response.StatusCode != 204 || body != "" {
		t.Error(response, body)
	}
	if response, _ = w.http(server, "GET", base+"/Users", "dpg_wrong", ""); response.StatusCode != 401 {
		t.Error(response)
	}
	if response, body = w.http(server, "GET", "/api/v1/integrations", w.workspace.OwnerToken, ""); response.StatusCode != 200 ||
		!strings.Contains(body, w.wiki.ID) {
		t.Error(response, body)
	}
	// Nobody is the local administrator over HTTP.
	if response, _ = w.http(server, "GET", "/api/v1/integrations", "", ""); response.StatusCode != 401 {
		t.Error(response)
	}
	if response, _ = w.http(server, "GET", "/healthz", "", ""); response.StatusCode != 200 {
		t.Error(response)
	}
}

func TestHandlersServeWhatTheyAreFor(t *testing.T) {
	w := inMemory(t)
	mux := http.NewServeMux()
	mux.Handle("/idp/", http.StripPrefix("/idp", w.engine.SCIMHandler()))
	mux.Handle("/manage/", http.StripPrefix("/manage", w.engine.AdminHandler()))
	server := w.serve(mux)
	for _, c := range []struct {
		path, token string
		status      int
	}{
		{"/idp" + w.wiki.SCIMBasePath + "/Users", w.wiki.SCIMToken, 200},
		{"/idp/api/v1/integrations", w.workspace.OwnerToken, 404},
		{"/idp/metrics", "", 404},
		{"/manage/api/v1/integrations", w.workspace.OwnerToken, 200},
		{"/manage" + w.wiki.SCIMBasePath + "/Users", w.wiki.SCIMToken, 404},
	} {
		if response, body := w.http(server, "GET", c.path, c.token, ""); response.StatusCode != c.status {
			t.Error(c.path, response.Status, body)
		}
	}
}

func TestRequestsThatAreTooLargeOrTooLateAreRefused(t *testing.T) {
	w := inMemory(t)
	handler := w.engine.Handler()
	handler.MaxBody = 1000
	handler.Peer = func(*http.Request) string { return "198.51.100.7" }
	large := strings.Repeat("x", 1001)
	ask := func(r *http.Request) *http.Response {
		r.Header.Set("Authorization", "Bearer "+w.wiki.SCIMToken)
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, r)
		return recorder.Result()
	}
	target := w.wiki.SCIMBasePath + "/Users"
	if got := ask(httptest.NewRequest("POST", target, strings.NewReader(large))); got.StatusCode != 413 {
		t.Error(got)
	}
	// Without a length that could be looked at first.
	if got := ask(httptest.NewRequest("POST", target, io.MultiReader(strings.NewReader(large)))); got.StatusCode != 413 {
		t.Error(got)
	}
	many := httptest.NewRequest("GET", target, nil)
	for i := 0; i < 300; i++ {
		many.Header.Add("X-Many", fmt.Sprint(i))
	}
	if got := ask(many); got.StatusCode != 431 {
		t.Error(got)
	}
	if got := ask(httptest.NewRequest("GET", target+"?"+strings.Repeat("x", 70_000), nil)); got.StatusCode != 431 {
		t.Error(got)
	}
	if err := w.engine.Close(w.ctx); err != nil {
		t.Fatal(err)
	}
	if got := ask(httptest.NewRequest("GET", target, nil)); got.StatusCode != 503 || got.Header.Get("Retry-After") == "" {
		t.Error(got)
	}
}

func TestBodiesInPiecesArePassedOnAsTheyCome(t *testing.T) {
	w := inMemory(t)
	server := w.serve(w.engine.Handler())
	w.addUser("ann")
	response, body := w.http(server, "GET", "/api/v1/evidence", w.workspace.OwnerToken, "")
	if response.StatusCode != 200 || strings.Count(body, "\n") < 2 {
		t.Error(response, body)
	}

	following, stop := context.WithCancel(w.ctx)
	request, err := http.NewRequestWithContext(following, "GET",
		server.URL+"/api/v1/integrations/"+w.wiki.ID+"/activity?follow=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+w.workspace.OwnerToken)
	followed, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer followed.Body.Close()
	lines := bufio.NewScanner(followed.Body)
	bob := w.addUser("bob") // what happens now is seen now
	for found := false; !found; {
		if !lines.Scan() {
			t.Fatal(lines.Err())
		}
		found = bytes.Contains(lines.Bytes(), []byte(bob))
	}
	stop()
	for lines.Scan() {
	}
	if lines.Err() == nil {
		t.Error("what was cancelled looks like a whole answer")
	}
}

func TestAnEngineThatClosesCutsABodyShort(t *testing.T) {
	w := inMemory(t)
	server := w.serve(w.engine.Handler())
	request, err := http.NewRequestWithContext(w.ctx, "GET", server.URL+"/api/v1/activity?follow=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+w.workspace.OwnerToken)
	followed, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer followed.Body.Close()
	if err := w.engine.Close(w.ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(followed.Body); err == nil {
		t.Error("half a body looks like a whole one")
	}
}
