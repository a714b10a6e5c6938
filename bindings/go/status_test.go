package deprov

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

func TestStatusesHaveNamesAndAreFoundByThem(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range knownStatuses {
		name := s.String()
		if name == "unknown" || seen[name] {
			t.Errorf("%d is called %q", int32(s), name)
		}
		seen[name] = true
		if statusNamed(name) != s {
			t.Errorf("%q is found as %v", name, statusNamed(name))
		}
	}
	if statusNamed("nobody_knows") != ErrInternal || Status(12345).String() != "unknown" {
		t.Error("what nobody knows has a name")
	}
}

func TestErrorsAreFoundByStatusAndByTheirParts(t *testing.T) {
	err := fmt.Errorf("around it: %w",
		&Error{Status: ErrNotFound, Detail: "no such group", Where: "groups", Advice: "make it", cause: context.Canceled})
	if !errors.Is(err, ErrNotFound) || errors.Is(err, ErrConflict) || !errors.Is(err, context.Canceled) {
		t.Error("errors.Is")
	}
	var parts *Error
	if !errors.As(err, &parts) || parts.Where != "groups" {
		t.Error("errors.As")
	}
	if got := parts.Error(); got != "deprov: groups: no such group; make it: context canceled" {
		t.Error(got)
	}
	if got := (&Error{Status: ErrBusy}).Error(); got != "deprov: busy" {
		t.Error(got)
	}
}

func TestErrorsOfTheLibraryCarryWhatItSays(t *testing.T) {
	_, err := Open(context.Background(), Options{InMemory: true, Key: []byte("short")})
	var why *Error
	if !errors.As(err, &why) || why.Status != ErrInvalidArgument || why.Where != "options.key_bytes" {
		t.Errorf("%#v", err)
	}
}
