package deprov

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"context"
	"encoding/json"
	"net/http"
	"runtime"
	"sync"
	"time"
	"unsafe"
)

// SourceUser is one user of a list.
type SourceUser struct {
	// ID is the source's immutable id, never empty: the externalId of a subject, unless the source's config says `link` or
	// `links`.
	ID         string
	ExternalID string
	UserName   string
	Email      string
	Inactive   bool // in the list, and has no access by it
}

// ListOptions say how a list is compared.
type ListOptions struct {
	DryRun bool // tell what would happen, and store nothing
	// Differences are how many of them the report lists, at most 10,000; 0: 1000.
	Differences int
	// Begun is when whoever made the list began to read it, so that what SCIM push showed after that counts; zero: now.
	Begun time.Time
}

// ListReport is how a list differs, and what follows.
type ListReport struct {
	List         string           `json:"list"`
	Begun        time.Time        `json:"begun"`
	DryRun       bool             `json:"dry_run"`
	First        bool             `json:"first"` // there was none to compare with: nothing is changed by it
	Listed       int64            `json:"listed"`
	ListedActive int64            `json:"listed_active"`
	Subjects     int64            `json:"subjects"`
	WithAccess   int64            `json:"with_access"`
	UnknownHere  int64            `json:"unknown_here"` // active in the list, and no subject here
	Counts       map[string]int64 `json:"counts"`       // subjects by how they and the list differ
	SinceLast    map[string]int64 `json:"since_last"`   // users by how they and the last complete list differ
	Ends         int64            `json:"ends"`         // subjects whose access ends by it
	Restores     int64            `json:"restores"`
	Work         string           `json:"work"` // what carries it out; empty: nothing has to be
	Differences  []ListDifference `json:"differences"`
	More         bool             `json:"more"`
	Round        string           `json:"round"` // of a polled source: complete, changes or subjects
	Quota        *SourceQuota     `json:"quota"` // of a polled source
}

// ListDifference is one subject that is not as the list has it.
type ListDifference struct {
	Kind       string `json:"kind"` // not_listed, listed_inactive, no_access_here, no_link, ambiguous
	Subject    string `json:"subject"`
	UserName   string `json:"user_name"`
	ExternalID string `json:"external_id"`
	Acts       bool   `json:"acts"` // something follows from it
	What       string `json:"what"`
}

// SourceList is a list on its way: the whole of who has access, as the host knows it from elsewhere. What it changes is
// decided when its end was seen, and judged as one unit. One goroutine at a time uses it.
type SourceList struct {
	engine *Engine
	id     string
	mu     sync.Mutex
	c      *C.deprov_list
}

// BeginList begins a list of a source of kind rows; one that had begun before and has not ended is given up.
//
// Errors: ErrNotFound, ErrForbidden, ErrConflict (changes of the last list are being carried out), ErrBusy (8 lists are
// being read, or 4 of the workspace), those of Do.
func (e *Engine) BeginList(ctx context.Context, by Caller, integration, source string, options ListOptions) (*SourceList, error) {
	send := map[string]any{"dry_run": options.DryRun}
	if options.Differences != 0 {
		send["differences"] = options.Differences
	}
	if !options.Begun.IsZero() {
		send["begun"] = options.Begun.UTC().Format("2006-01-02T15:04:05.000000Z")
	}
	var begun struct{ List string }
	if err := e.source(ctx, by, http.MethodPost, integration, source, "/lists", send, &begun); err != nil {
		return nil, err
	}
	caller := (*C.deprov_caller)(C.calloc(1, C.sizeof_deprov_caller))
	defer C.free(unsafe.Pointer(caller))
	caller.struct_size = C.sizeof_deprov_caller
	id := cBytes(begun.List)
	caller.workspace, caller.token = cBytes(by.Workspace), cBytes(by.Token)
	for _, s := range []C.deprov_str{caller.workspace, caller.token, id} {
		defer freeStr(s)
	}
	c := e.enter()
	if c == nil {
		return nil, e.gone()
	}
	defer e.leave()
	var list *C.deprov_list
	var why *C.deprov_error
	if err := takeError(C.deprov_list_open(c, caller, id, &list, &why), why); err != nil {
		return nil, err
	}
	made := &SourceList{engine: e, id: begun.List, c: list}
	runtime.SetFinalizer(made, func(l *SourceList) { _ = l.Close() }) // for who forgets to close
	return made, nil
}

// ID names the list.
func (l *SourceList) ID() string { return l.id }

const usersAtOnce = 10_000

// Add hands the next users in. What the list refuses of a user (no ID, a text that is too long) stays: it cannot become
// complete any more. A user who is in it twice is found at its end.
//
// Errors: ErrInvalidArgument (not UTF-8), ErrNotFound (it has ended or was given up, as one is that gets nothing for ten
// minutes), those of Do; why a user is refused.
func (l *SourceList) Add(ctx context.Context, users ...SourceUser) error {
	for len(users) > 0 {
		n := len(users)
		if n > usersAtOnce {
			n = usersAtOnce
		}
		if _, err := l.ask(ctx, func(c *C.deprov_list, id uint64) C.deprov_go_sent { return sendUsers(c, users[:n], id) }); err != nil {
			return err
		}
		users = users[n:]
	}
	return nil
}

// sendUsers puts all texts one after the other, and how long each is beside them: C reads both during the call.
func sendUsers(c *C.deprov_list, users []SourceUser, id uint64) C.deprov_go_sent {
	text := make([]byte, 0, 64*len(users)+1)
	lengths := make([]C.uint32_t, 0, 4*len(users))
	inactive := make([]byte, len(users))
	for i, u := range users {
		for _, s := range [...]string{u.ID, u.ExternalID, u.UserName, u.Email} {
			if len(s) > maxText { // far above what a source may say; the library names its bound
				s = s[:maxText]
			}
			text = append(text, s...)
			lengths = append(lengths, C.uint32_t(len(s)))
		}
		if u.Inactive {
			inactive[i] = 1
		}
	}
	text = append(text, 0) // something to point at
	return C.deprov_go_list_add(c, (*C.char)(unsafe.Pointer(&text[0])), &lengths[0],
		(*C.uint8_t)(unsafe.Pointer(&inactive[0])), C.size_t(len(users)), C.uint64_t(id))
}

// End says that the list is over. The count is how many users there should be; where it is negative the source does not
// count, and its config has to say `whole`.
//
// Errors: why the list is not complete; ErrConflict (another list of the source was stored meanwhile); those of Do. The
// list has ended in any case, unless the context ended first: then that is not known.
func (l *SourceList) End(ctx context.Context, count int64) (*ListReport, error) {
	response, err := l.ask(ctx, func(c *C.deprov_list, id uint64) C.deprov_go_sent {
		known, n := C.int32_t(0), C.uint64_t(0)
		if count >= 0 {
			known, n = 1, C.uint64_t(count)
		}
		return C.deprov_go_list_end(c, known, n, C.uint64_t(id))
	})
	if err != nil {
		return nil, err
	}
	report := new(ListReport)
	if err := json.Unmarshal(response.Body, report); err != nil {
		return nil, &Error{Status: ErrProtocol, Detail: "the report does not fit", Where: "list " + l.id, cause: err}
	}
	return report, nil
}

// GiveUp ends the list; nothing follows from it. Where it could not be read, failure says why (at most 1000 bytes), and
// that is a failure of the source.
func (l *SourceList) GiveUp(ctx context.Context, failure string) error {
	why := cBytes(failure)
	defer freeStr(why)
	_, err := l.ask(ctx, func(c *C.deprov_list, id uint64) C.deprov_go_sent {
		return C.deprov_go_list_give_up(c, why, C.uint64_t(id))
	})
	return err
}

func (l *SourceList) ask(ctx context.Context, begin func(*C.deprov_list, uint64) C.deprov_go_sent) (*Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, contextError(err, "list")
	}
	id, w, ok := l.engine.wait()
	if !ok {
		return nil, l.engine.gone()
	}
	token, err := l.begin(begin, id)
	if err != nil {
		l.engine.forget(id)
		return nil, err
	}
	response, err := l.engine.await(ctx, w, token)
	if err != nil {
		return nil, err
	}
	if response.Status < 200 || response.Status > 299 {
		return nil, refusal(response)
	}
	return response, nil
}

func (l *SourceList) begin(begin func(*C.deprov_list, uint64) C.deprov_go_sent, id uint64) (C.uint64_t, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.c == nil {
		return 0, &Error{Status: ErrClosed, Detail: "the list was closed", Where: "list " + l.id}
	}
	if l.engine.enter() == nil {
		return 0, l.engine.gone()
	}
	defer l.engine.leave()
	sent := begin(l.c, id)
	return sent.token, takeError(sent.status, sent.error)
}

// Close gives up a list that has not ended. Twice is once; also after the engine was closed.
func (l *SourceList) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	runtime.SetFinalizer(l, nil)
	if l.engine.enter() != nil { // not beside the end of the engine
		defer l.engine.leave()
	}
	C.deprov_list_free(l.c) // NULL, the second time
	l.c = nil
	return nil
}
