package deprov

// #include "shim.h"
import "C"

import (
	"context"
	"sync"
)

// Checkpoint is what the integration keeps under a name: what SetCheckpoint was given last, by this call or by another
// one, before or after a restart; "" where nothing is kept. It waits, which a call of an Inline connector cannot:
// ErrWrongThread. Other errors are those of SetCheckpoint, and that of the context.
func (c *Call) Checkpoint(ctx context.Context, name string) (string, error) {
	return c.checkpoint(ctx, name, nil)
}

// SetCheckpoint keeps a small text of the integration for good, in place of what was kept under the name; "" forgets it.
// It is no place for secrets. Where the context ends first, the text may be kept or not.
//
// Errors: ErrInvalidArgument (a name that is empty or not of visible ASCII characters, a text that is not UTF-8, or a
// secret of the config), ErrLimitExceeded (a name of more than 100 bytes, a text of more than 64 KiB, or more than 32
// names), ErrBusy (64 are under way), ErrNotFound (the integration is gone), ErrClosed (the engine is, or the call has
// come back), ErrUnsupported (a Call that no engine made), and what the store says.
func (c *Call) SetCheckpoint(ctx context.Context, name, value string) error {
	_, err := c.checkpoint(ctx, name, &value)
	return err
}

// liveCall is the library's side of a Call, until that has come back.
type liveCall struct {
	mu     sync.Mutex
	inline bool
	call   *C.deprov_call // nil: it is over
}

func (l *liveCall) end() {
	l.mu.Lock()
	l.call = nil
	l.mu.Unlock()
}

// begin asks the library, which tells `told` once unless there is an error.
func (l *liveCall) begin(name, value C.deprov_str, sets C.int32_t, told chan<- toldCheckpoint) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.call == nil {
		return &Error{Status: ErrClosed, Detail: "the call has come back", Where: "checkpoint"}
	}
	user := newHandle(told)
	var why *C.deprov_error
	atBorder()
	status := C.deprov_go_checkpoint(l.call, name, value, sets, user, &why)
	if status != C.DEPROV_OK {
		release(user)
	}
	return takeError(status, why)
}

// toldCheckpoint is what became of one.
type toldCheckpoint struct {
	status Status
	value  string
}

//export deprovGoTold
func deprovGoTold(user C.uintptr_t, status C.deprov_status, value C.deprov_str) {
	atBorder()
	told := valueOf(user).(chan<- toldCheckpoint)
	release(user)
	told <- toldCheckpoint{Status(status), goString(value)} // there is room for the one
}

func (c *Call) checkpoint(ctx context.Context, name string, value *string) (string, error) {
	const where = "checkpoint"
	if c.live == nil {
		return "", &Error{Status: ErrUnsupported, Detail: "no engine made this call", Where: where}
	}
	if c.live.inline {
		return "", &Error{Status: ErrWrongThread, Detail: "the calls of an inline connector cannot wait", Where: where}
	}
	if err := ctx.Err(); err != nil {
		return "", contextError(err, where)
	}
	at, text, sets := cBytes(name), C.deprov_str{}, C.int32_t(0)
	defer freeStr(at)
	if value != nil {
		text, sets = cBytes(*value), 1
		defer freeStr(text)
	}
	told := make(chan toldCheckpoint, 1)
	if err := c.live.begin(at, text, sets, told); err != nil {
		return "", err
	}
	select {
	case <-ctx.Done():
		return "", contextError(ctx.Err(), where)
	case t := <-told:
		switch {
		case t.status == 0:
			return t.value, nil
		case value != nil:
			return "", &Error{Status: t.status, Detail: "it was not kept", Where: where}
		case t.status == ErrNotFound:
			return "", nil
		default:
			return "", &Error{Status: t.status, Detail: "it was not found", Where: where}
		}
	}
}
