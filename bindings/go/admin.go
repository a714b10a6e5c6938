package deprov

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
)

// Caller is who manages. The zero value is the local administrator without a workspace.
type Caller struct {
	Workspace string // the local administrator of this workspace
	Token     string // or: the principal whose token this is, in its own workspace
}

func (by Caller) check() error {
	if by.Workspace != "" && by.Token != "" {
		return &Error{Status: ErrInvalidArgument, Detail: "a token has its own workspace", Where: "Caller.Workspace",
			Advice: "give either a token or a workspace"}
	}
	return nil
}

const adminBase = "/api/v1"

// Admin makes one call of the admin API: everything that the program deprov can do is there, described by GET
// /openapi.json. The path is below /api/v1, such as /jobs?unfinished=true. What is sent becomes JSON, unless it is nil,
// a json.RawMessage or a []byte; what is answered is decoded into `into`, unless that is nil.
//
// Errors: those that the API answers, as *Error with the API's own words; ErrUnsupported for an answer that comes in
// pieces (use Do); those of Do.
func (e *Engine) Admin(ctx context.Context, by Caller, method, path string, send, into any) error {
	response, err := e.adminCall(ctx, by, method, path, send)
	if err != nil {
		return err
	}
	if response.Stream != nil {
		_ = response.Close()
		return &Error{Status: ErrUnsupported, Detail: "the answer comes in pieces", Where: path, Advice: "use Engine.Do"}
	}
	if into == nil || len(response.Body) == 0 {
		return nil
	}
	if raw, ok := into.(*json.RawMessage); ok {
		*raw = response.Body
		return nil
	}
	if err := json.Unmarshal(response.Body, into); err != nil {
		return &Error{Status: ErrProtocol, Detail: "the answer does not fit", Where: path, cause: err}
	}
	return nil
}

func (e *Engine) adminCall(ctx context.Context, by Caller, method, path string, send any) (*Response, error) {
	if err := by.check(); err != nil {
		return nil, err
	}
	if path == "" || path[0] != '/' {
		return nil, &Error{Status: ErrInvalidArgument, Detail: "does not begin with a slash", Where: "path",
			Advice: "give it without /api/v1"}
	}
	request := &Request{Method: method, Target: adminBase + path, Header: http.Header{}}
	if by.Token != "" {
		request.Header.Set("Authorization", "Bearer "+by.Token)
	} else {
		request.Local, request.Workspace = true, by.Workspace
	}
	switch body := send.(type) {
	case nil:
	case json.RawMessage:
		request.Body = body
	case []byte:
		request.Body = body
	default:
		encoded, err := json.Marshal(body)
		if err != nil {
			return nil, &Error{Status: ErrInvalidArgument, Detail: "cannot become JSON", Where: "body", cause: err}
		}
		request.Body = encoded
	}
	if len(request.Body) > 0 {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := e.Do(ctx, request)
	if err != nil {
		return nil, err
	}
	if response.Status < 200 || response.Status > 299 {
		return nil, refusal(response)
	}
	return response, nil
}

// refusal is what the admin API says when it refuses.
func refusal(response *Response) error {
	body, err := response.ReadAll()
	if err != nil {
		return err
	}
	var said struct {
		Error struct{ Code, Message, Where, Advice string }
	}
	if err := json.Unmarshal(body, &said); err != nil || said.Error.Code == "" {
		return &Error{Status: ErrInternal, Detail: "answered " + itoa(response.Status) + " without a reason"}
	}
	return &Error{Status: statusNamed(said.Error.Code), Detail: said.Error.Message, Where: said.Error.Where,
		Advice: said.Error.Advice}
}

// Workspace is one customer, as it is made.
type Workspace struct {
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	Owner      Principal `json:"owner"`
	OwnerToken string    `json:"owner_token"` // shown this once
}

// CreateWorkspace makes a workspace with its first owner.
func (e *Engine) CreateWorkspace(ctx context.Context, name, owner string) (*Workspace, error) {
	send := map[string]string{"name": name}
	if owner != "" {
		send["owner"] = owner
	}
	made := new(Workspace)
	if err := e.Admin(ctx, Caller{}, http.MethodPost, "/workspaces", send, made); err != nil {
		return nil, err
	}
	return made, nil
}

// Integration says what an integration is to be: one external app, one IdP, one connection, one policy.
type Integration struct {
	Name      string `json:"name"`
	IdP       string `json:"idp"`       // okta, entra, onelogin, jumpcloud, ping, google or generic
	Connector string `json:"connector"` // its id
	// Config is what the connector's schema says, secrets in clear. It becomes JSON, like the rest.
	Config        any `json:"config,omitempty"`
	Policy        any `json:"policy,omitempty"`
	Settings      any `json:"settings,omitempty"`
	Schemas       any `json:"schemas,omitempty"`
	ResourceTypes any `json:"resource_types,omitempty"`
	// SkipCheck: the app is not asked whether the connection works.
	SkipCheck bool `json:"-"`
}

// CreatedIntegration is what the IdP's SCIM client is given.
type CreatedIntegration struct {
	ID           string `json:"id"`
	Name         string `json:"name"`
	SCIMBasePath string `json:"scim_base_path"`
	SCIMToken    string `json:"scim_token"` // shown this once
}

// CreateIntegration makes an integration.
func (e *Engine) CreateIntegration(ctx context.Context, by Caller, integration Integration) (*CreatedIntegration, error) {
	type plain Integration
	send := struct {
		plain
		Check *bool `json:"check,omitempty"`
	}{plain: plain(integration)}
	if integration.SkipCheck {
		send.Check = new(bool)
	}
	made := new(CreatedIntegration)
	if err := e.Admin(ctx, by, http.MethodPost, "/integrations", send, made); err != nil {
		return nil, err
	}
	return made, nil
}

// Evidence writes the activity of an interval as JSON Lines, with all that its hashes are made of; `deprov evidence
// verify` checks it without store or engine. The query is that of GET /evidence.
func (e *Engine) Evidence(ctx context.Context, by Caller, query url.Values, to io.Writer) error {
	path := "/evidence"
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	response, err := e.adminCall(ctx, by, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer response.Close()
	if response.Stream == nil {
		_, err = io.Copy(to, bytes.NewReader(response.Body))
	} else {
		_, err = io.Copy(to, response.Stream)
	}
	return err
}
