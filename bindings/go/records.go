package deprov

import (
	"encoding/json"
	"time"
)

// The records below carry what the OpenAPI document of the admin API says today; members that a newer library adds are
// in Rows.Raw. Times that are not there are zero, ids and texts that are not there are empty.

// Principal is who may manage a workspace.
type Principal struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Role    string    `json:"role"` // owner, super_admin, admin, member
	Created time.Time `json:"created"`
}

// Subject is a person as the IdP presents them to one integration.
type Subject struct {
	ID          string `json:"id"`
	Integration string `json:"integration"`
	UserName    string `json:"user_name"`
	ExternalID  string `json:"external_id"`
	DisplayName string `json:"display_name"`
	Active      bool   `json:"active"`
	Deleted     bool   `json:"deleted"`
	Access      bool   `json:"access"`
	// AccessWithoutAccount: access came back after what cannot be undone.
	AccessWithoutAccount bool      `json:"access_without_account"`
	Intent               Intent    `json:"intent"`
	Binding              Binding   `json:"binding"`
	Job                  *JobMark  `json:"job"`
	Retained             *Retained `json:"retained"`
	Created              time.Time `json:"created"`
	Modified             time.Time `json:"modified"`
}

// Intent is the desired state of a subject.
type Intent struct {
	Generation    uint64    `json:"generation"`
	Desired       string    `json:"desired"` // undecided, access, no_access
	Cause         string    `json:"cause"`
	ViaGroup      string    `json:"via_group"`
	ViaInferred   bool      `json:"via_inferred"`
	EvidenceAt    time.Time `json:"evidence_at"`
	PolicyVersion uint64    `json:"policy_version"`
}

// Binding is the link from a subject to one account in the app.
type Binding struct {
	State     string    `json:"state"` // unknown, bound, absent, ambiguous, removed
	Account   string    `json:"account"`
	Login     string    `json:"login"`
	LastSet   string    `json:"last_set"` // untouched, disabled, enabled, removed
	CheckedAt time.Time `json:"checked_at"`
}

// JobMark names a job and its state.
type JobMark struct {
	ID    string `json:"id"`
	State string `json:"state"`
}

// Retained says why an account stays although access ended.
type Retained struct {
	Why    string    `json:"why"`
	Reason string    `json:"reason"`
	Rule   string    `json:"rule"`
	Until  time.Time `json:"until"`
	By     string    `json:"by"`
}

// Job is one plan being carried out for one subject.
type Job struct {
	ID           string    `json:"id"`
	Integration  string    `json:"integration"`
	Subject      string    `json:"subject"`
	UserName     string    `json:"user_name"`
	Kind         string    `json:"kind"` // bind, remove_access, restore_access, change_role, revoke_sessions
	State        string    `json:"state"`
	Cause        string    `json:"cause"`
	ViaGroup     string    `json:"via_group"`
	ViaGroupName string    `json:"via_group_name"`
	ViaInferred  bool      `json:"via_inferred"`
	Generation   uint64    `json:"generation"`
	Priority     int       `json:"priority"`
	Attempts     int       `json:"attempts"`
	Created      time.Time `json:"created"`
	Due          time.Time `json:"due"`
	Deadline     time.Time `json:"deadline"`
	EvidenceAt   time.Time `json:"evidence_at"`
	Finished     time.Time `json:"finished"`
	// TimeToDeprovisionMS is nil while access has not ended.
	TimeToDeprovisionMS *float64        `json:"time_to_deprovision_ms"`
	Reason              string          `json:"reason"`
	Steps               json.RawMessage `json:"steps"` // where the API gives them
}

// Hold is what waits for a person's decision.
type Hold struct {
	ID          string    `json:"id"`
	Integration string    `json:"integration"`
	State       string    `json:"state"` // open, closed
	Opened      time.Time `json:"opened"`
	Closed      time.Time `json:"closed"`
	WindowFrom  time.Time `json:"window_from"`
	Reason      string    `json:"reason"`
	Waiting     int64     `json:"waiting"`
	Items       int64     `json:"items"`
	Listing     string    `json:"listing"` // names what a person saw, when it is allowed
}

// Activity is one record of what happened.
type Activity struct {
	Seq         uint64          `json:"seq"`
	At          time.Time       `json:"at"`
	Integration string          `json:"integration"`
	Event       string          `json:"event"`
	Actor       string          `json:"actor"`
	Subject     string          `json:"subject"`
	Job         string          `json:"job"`
	Detail      json.RawMessage `json:"detail"` // an object, or null where it was deleted
	Hash        string          `json:"hash"`
}

// Notification is one thing to tell people; several records of a kind may come as one.
type Notification struct {
	ID              string                `json:"id"`   // the same each time it is told
	Type            string                `json:"type"` // removal.verified, hold.opened, approval.wanted, …
	At              time.Time             `json:"at"`
	Workspace       string                `json:"workspace"`
	Integration     string                `json:"integration"`
	IntegrationName string                `json:"integration_name"`
	Seq             uint64                `json:"seq"`      // of the record on the activity that it tells
	LastSeq         uint64                `json:"last_seq"` // of the last one that it stands for
	Count           uint64                `json:"count"`
	Actor           string                `json:"actor"`
	Subject         string                `json:"subject"`
	UserName        string                `json:"user_name"`
	Job             string                `json:"job"`
	Subjects        []NotificationSubject `json:"subjects"` // the first ones, where it stands for many
	Detail          json.RawMessage       `json:"detail"`
}

// NotificationSubject is one of those that a notification stands for.
type NotificationSubject struct {
	Subject  string `json:"subject"`
	UserName string `json:"user_name"`
	Job      string `json:"job"`
}

// WebhookMessage is what a webhook posts. Verify its signature before you read it.
type WebhookMessage struct {
	Type      string    `json:"type"` // deprov.events; others are newer than this package
	Timestamp time.Time `json:"timestamp"`
	Data      struct {
		Workspace string         `json:"workspace"`
		Webhook   string         `json:"webhook"`
		Skipped   uint64         `json:"skipped"` // so many before them were given up
		Events    []Notification `json:"events"`
	} `json:"data"`
}
