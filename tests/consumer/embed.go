package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"

	"deprov"
)

func must[T any](made T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return made
}

// Usage: embed DIRECTORY. Makes an integration with an app that lives in a file, and hands it one request of an IdP.
func main() {
	ctx := context.Background()
	engine := must(deprov.Open(ctx, deprov.Options{Directory: append(os.Args, "./data")[1]}))
	defer engine.Close(ctx)
	acme := must(engine.CreateWorkspace(ctx, "acme", "owner"))
	wiki := must(engine.CreateIntegration(ctx, deprov.Caller{Workspace: acme.ID},
		deprov.Integration{Name: "Wiki", IdP: "okta", Connector: "null"}))
	answer := must(engine.Do(ctx, &deprov.Request{
		Method: "GET",
		Target: wiki.SCIMBasePath + "/Users?count=1",
		Header: http.Header{"Authorization": {"Bearer " + wiki.SCIMToken}},
	}))
	fmt.Printf("%d %s\n", answer.Status, answer.Body) // http.Handle("/scim/", engine.SCIMHandler()) serves all of them
}
