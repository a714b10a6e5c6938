package deprov

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestASourcesCredentialIsTheRecordOfTheAPIAndBack(t *testing.T) {
	none, unbound := 0, false
	for want, config := range map[string]SourceConfig{
		`{}`:                       {},
		`{"auth":{"type":"none"}}`: {Auth: NoAuth{}},
		`{"auth":{"scheme":"SSWS","token":"hidden","type":"token"}}`:               {Auth: TokenAuth{Token: "hidden", Scheme: "SSWS"}},
		`{"auth":{"password":"hidden","type":"basic","user":"ann"}}`:               {Auth: BasicAuth{User: "ann", Password: "hidden"}},
		`{"auth":{"newer":"x","type":"mtls"},"hook":{"secrets":["hidden"]}}`:       {Auth: OtherAuth{"mtls", map[string]any{"newer": "x"}}, Hook: &SourceHook{[]Secret{"hidden"}}},
		`{"ca_pem":"pem","okta":{"app":"0oa"},"poll":{"quota_reserve_percent":0}}`: {CAPEM: "pem", Poll: &SourcePolls{QuotaReservePercent: &none}, More: map[string]any{"okta": map[string]any{"app": "0oa"}}},
		`{"auth":{"client_id":"id","dpop":false,"type":"client_credentials"}}`:     {Auth: ClientCredentials{ClientID: "id", DPoP: &unbound}},
		`{"auth":{"client_id":"id","newer":"x","parameters":{"a":"b"},"private_key":"hidden","type":"client_credentials"}}`: {
			Auth: ClientCredentials{ClientID: "id", PrivateKey: "hidden", Parameters: map[string]string{"a": "b"}, More: map[string]any{"newer": "x"}}},
	} {
		text, err := json.Marshal(config)
		if err != nil || string(text) != want {
			t.Errorf("%v: %s", err, text)
		}
		var back SourceConfig
		if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, config) {
			t.Errorf("%v: %+v", err, back)
		}
		for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
			if printed := fmt.Sprintf(format, config.Auth); strings.Contains(printed, "hidden") {
				t.Error(printed)
			}
		}
	}
	if _, err := json.Marshal(SourceConfig{Auth: &NoAuth{}}); !errors.Is(err, ErrInvalidArgument) {
		t.Error(err)
	}
	for _, text := range []string{`[]`, `{"poll":7}`, `{"auth":{"type":"token","token":7}}`} {
		if json.Unmarshal([]byte(text), new(SourceConfig)) == nil {
			t.Error(text)
		}
	}
}
