package deprov

import "encoding/json"

// Secret is a text that the library seals and never shows again: empty in what is read. It is not printed either.
type Secret string

// String says nothing of it.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "(secret)"
}

// GoString says nothing of it.
func (s Secret) GoString() string { return `deprov.Secret("` + s.String() + `")` }

// SourceConfig is what a source is told, for AddSource.Config.
type SourceConfig struct {
	Auth SourceAuth   `json:"-"`
	Poll *SourcePolls `json:"poll,omitempty"`
	Hook *SourceHook  `json:"hook,omitempty"`
	// CAPEM has authorities in place of the system's.
	CAPEM string `json:"ca_pem,omitempty"`
	// More has the other members of the schema SourceConfig of the OpenAPI document: where the API is, under the word of its
	// kind; how a list is written; what is newer than this package.
	More map[string]any `json:"-"`
}

// SourceAuth is how a source's API is asked: NoAuth, TokenAuth, BasicAuth, ClientCredentials or OtherAuth. More of each has
// members that are newer than this package.
type SourceAuth interface{ authType() string }

// NoAuth says that the API asks for no credential.
type NoAuth struct {
	More map[string]any `json:"-"`
}

// TokenAuth is a token that does not end, or that somebody replaces.
type TokenAuth struct {
	Token  Secret         `json:"token,omitempty"`
	Scheme string         `json:"scheme,omitempty"` // Bearer or SSWS; empty: what the API is used to
	More   map[string]any `json:"-"`
}

// BasicAuth is by RFC 7617.
type BasicAuth struct {
	User     string         `json:"user,omitempty"`
	Password Secret         `json:"password,omitempty"`
	More     map[string]any `json:"-"`
}

// ClientCredentials is by OAuth 2.0, RFC 6749 section 4.4. The client shows its secret, or signs with its key (RFC 7523).
type ClientCredentials struct {
	ClientID     string `json:"client_id,omitempty"`
	ClientSecret Secret `json:"client_secret,omitempty"`
	TokenURL     string `json:"token_url,omitempty"`   // empty: that of the kind of source, where it has one
	Scope        string `json:"scope,omitempty"`       // likewise
	ClientAuth   string `json:"client_auth,omitempty"` // basic, post, private_key_jwt; empty: what suits the above
	// PrivateKey is PEM. Entra ID needs the key's certificate, others the name that they gave the key.
	PrivateKey  Secret            `json:"private_key,omitempty"`
	Certificate Secret            `json:"certificate,omitempty"`
	KeyID       string            `json:"key_id,omitempty"`
	Algorithm   string            `json:"algorithm,omitempty"` // empty: what suits the key
	Audience    string            `json:"audience,omitempty"`  // empty: TokenURL
	Parameters  map[string]string `json:"parameters,omitempty"`
	DPoP        *bool             `json:"dpop,omitempty"` // whether tokens are bound to a key (RFC 9449); nil: as the kind has it
	More        map[string]any    `json:"-"`
}

// OtherAuth is of a kind that is newer than this package; its members are in More.
type OtherAuth struct {
	Type string         `json:"-"`
	More map[string]any `json:"-"`
}

func (NoAuth) authType() string            { return "none" }
func (TokenAuth) authType() string         { return "token" }
func (BasicAuth) authType() string         { return "basic" }
func (ClientCredentials) authType() string { return "client_credentials" }
func (a OtherAuth) authType() string       { return a.Type }

// SourcePolls says how often a source is polled, and how far. Zero: as its kind has it.
type SourcePolls struct {
	FloorS              int  `json:"floor_s,omitempty"`
	CeilingS            int  `json:"ceiling_s,omitempty"`
	CompleteEveryS      int  `json:"complete_every_s,omitempty"`
	QuotaReservePercent *int `json:"quota_reserve_percent,omitempty"` // 0 is something else than nil
	MaxPages            int  `json:"max_pages,omitempty"`
	TimeoutS            int  `json:"timeout_s,omitempty"`
}

// SourceHook is what calls of the IdP show, of the kinds okta and graph; two secrets while one takes the place of the other.
type SourceHook struct {
	Secrets []Secret `json:"secrets,omitempty"`
}

// together is the members of `known`, a struct, and of `more`.
func together(known any, more map[string]any) (map[string]any, error) {
	text, err := json.Marshal(known)
	if err != nil {
		return nil, err
	}
	all := make(map[string]any, len(more)+4)
	for name, value := range more {
		all[name] = value
	}
	return all, json.Unmarshal(text, &all)
}

// apart fills `known`, a pointer to a struct, and answers what it has no members for.
func apart(members map[string]any, known any) (map[string]any, error) {
	text, err := json.Marshal(members)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, known); err != nil {
		return nil, err
	}
	had, err := together(known, nil)
	if err != nil {
		return nil, err
	}
	var more map[string]any
	for name, value := range members {
		if _, ok := had[name]; ok {
			continue
		}
		if more == nil {
			more = make(map[string]any)
		}
		more[name] = value
	}
	return more, nil
}

// MarshalJSON is as the admin API takes it.
func (c SourceConfig) MarshalJSON() ([]byte, error) {
	type plain SourceConfig
	all, err := together(plain(c), c.More)
	if err != nil {
		return nil, err
	}
	if c.Auth != nil {
		auth, err := authMembers(c.Auth)
		if err != nil {
			return nil, err
		}
		auth["type"] = c.Auth.authType()
		all["auth"] = auth
	}
	return json.Marshal(all)
}

func authMembers(auth SourceAuth) (map[string]any, error) {
	switch a := auth.(type) {
	case NoAuth:
		return together(a, a.More)
	case TokenAuth:
		return together(a, a.More)
	case BasicAuth:
		return together(a, a.More)
	case ClientCredentials:
		return together(a, a.More)
	case OtherAuth:
		return together(a, a.More)
	}
	return nil, &Error{Status: ErrInvalidArgument, Detail: "is no kind of credential of this package", Where: "SourceConfig.Auth",
		Advice: "give a value, and no pointer to one; OtherAuth is for kinds that are newer"}
}

// UnmarshalJSON reads what Source.Config shows.
func (c *SourceConfig) UnmarshalJSON(text []byte) error {
	type plain SourceConfig
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil {
		return err
	}
	auth, _ := members["auth"].(map[string]any)
	delete(members, "auth")
	var read plain
	more, err := apart(members, &read)
	if err != nil {
		return err
	}
	read.More = more
	if auth != nil {
		if read.Auth, err = authOf(auth); err != nil {
			return err
		}
	}
	*c = SourceConfig(read)
	return nil
}

func authOf(members map[string]any) (SourceAuth, error) {
	word, _ := members["type"].(string)
	delete(members, "type")
	var err error
	switch word {
	case "none":
		var a NoAuth
		a.More, err = apart(members, &a)
		return a, err
	case "token":
		var a TokenAuth
		a.More, err = apart(members, &a)
		return a, err
	case "basic":
		var a BasicAuth
		a.More, err = apart(members, &a)
		return a, err
	case "client_credentials":
		var a ClientCredentials
		a.More, err = apart(members, &a)
		return a, err
	}
	return OtherAuth{Type: word, More: members}, nil
}
