package deprov

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"time"
	"unsafe"
)

// newConnector makes the library's handle of a connector; the caller frees it. The library lets go of the connector
// itself when the last engine and the last call are gone.
func newConnector(c Connector) (*C.deprov_connector, error) {
	description := c.Describe()
	text, err := json.Marshal(description)
	if err != nil {
		return nil, &Error{Status: ErrInvalidArgument, Detail: "cannot become JSON", Where: "description of a connector",
			cause: err}
	}
	in := cBytes(string(text))
	defer freeStr(in)
	user := newHandle(&kind{c, description.Inline})
	atBorder()
	made := C.deprov_go_connector(in, user)
	return made.connector, takeError(made.status, made.error)
}

// kind is what the library knows a Connector by.
type kind struct {
	Connector
	inline bool
}

// connection is what the library knows a Connection by.
type connection struct {
	Connection
	inline  bool
	mu      sync.Mutex
	calls   map[*C.deprov_call]context.CancelFunc // those that did not come back yet
	closing bool
}

// end closes the Connection; after its last call, and with no lock.
func (c *connection) end() {
	if closer, ok := c.Connection.(io.Closer); ok {
		_ = closer.Close() // nobody is left to hear of it
	}
}

func (c *connection) start(call *C.deprov_call) {
	described := describe(call)
	described.live = &liveCall{inline: c.inline, call: call}
	ctx, cancel := context.WithTimeout(context.Background(), described.Timeout)
	c.mu.Lock()
	c.calls[call] = cancel
	c.mu.Unlock()
	if c.inline {
		c.run(ctx, cancel, call, described)
	} else {
		go c.run(ctx, cancel, call, described)
	}
}

func (c *connection) run(ctx context.Context, cancel context.CancelFunc, call *C.deprov_call, described *Call) {
	// The goroutine may end in there, as one does that calls FailNow of a test.
	var reply Reply
	err := broken(described, "the goroutine of the call has ended")
	defer func() {
		cancel()
		c.ended(call, described, reply, err)
	}()
	reply, err = c.carryOut(ctx, described)
}

func (c *connection) ended(call *C.deprov_call, described *Call, reply Reply, err error) {
	described.live.end()
	complete(call, described.Operation, reply, err)
	c.mu.Lock()
	delete(c.calls, call) // before another call can have its address
	last := c.closing && len(c.calls) == 0
	c.mu.Unlock()
	atBorder()
	C.deprov_call_free(call)
	if last {
		c.end()
	}
}

// carryOut never panics.
func (c *connection) carryOut(ctx context.Context, call *Call) (reply Reply, err error) {
	cameBack := false // what panic(nil) was recovered from cannot be told by the value in all versions of Go
	defer func() {
		if p := recover(); !cameBack {
			reply, err = Reply{}, broken(call, fmt.Sprintf("panic: %v", p))
		}
	}()
	reply, err = c.Call(ctx, call)
	canSpeak(err)
	cameBack = true
	return reply, err
}

// canSpeak panics where an error does, such as a nil pointer that became an error: here it can be caught.
func canSpeak(err error) {
	if err != nil {
		_ = err.Error()
	}
}

// connect asks for a connection in a goroutine of its own, which may end in there: one of the library's cannot.
func (k *kind) connect(config []byte) (opened Connection, err error) {
	done := make(chan struct{})
	err = errors.New("the goroutine that connects has ended")
	go func() {
		defer close(done)
		cameBack := false
		defer func() {
			if p := recover(); p != nil {
				opened, err = nil, fmt.Errorf("panic: %v", p)
			} else if cameBack && err == nil && opened == nil {
				err = errors.New("the connector answered neither a connection nor an error")
			}
		}()
		opened, err = k.Connect(config)
		canSpeak(err)
		cameBack = true
	}()
	<-done
	return opened, err
}

// broken is what a fault of the connector means: of a change nobody knows whether it reached the app.
func broken(call *Call, detail string) error {
	if call.Operation.changes() {
		return errors.New(detail)
	}
	return &OutcomeError{Outcome: OutcomeInternal, Detail: detail}
}

func (c *connection) cancel(call *C.deprov_call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cancel, ok := c.calls[call]; ok {
		cancel()
	}
}

func (c *connection) close() {
	c.mu.Lock()
	c.closing = true
	idle := len(c.calls) == 0
	for _, cancel := range c.calls {
		cancel() // nobody waits for them any more
	}
	c.mu.Unlock()
	if idle {
		c.end()
	}
}

func describe(c *C.deprov_call) *Call {
	var in C.deprov_go_call
	C.deprov_go_call_get(c, &in)
	call := &Call{
		Operation:      Operation(in.operation),
		Account:        goString(in.account),
		ExternalID:     goString(in.external_id),
		UserName:       goString(in.user_name),
		Entitlement:    goString(in.entitlement),
		DeleteAccount:  in.delete_account != 0,
		Cursor:         goString(in.cursor),
		PageSize:       int(in.page_size),
		Handle:         goString(in.handle),
		IdempotencyKey: goString(in.idempotency_key),
		Timeout:        math.MaxInt64,
	}
	if int64(in.timeout_ms) < int64(math.MaxInt64/time.Millisecond) {
		call.Timeout = time.Duration(in.timeout_ms) * time.Millisecond
	}
	for i := C.size_t(0); i < in.email_count; i++ {
		call.Emails = append(call.Emails, goString(C.deprov_call_get_email(c, i)))
	}
	return call
}

// outcomeOf says what an error means for an operation.
func outcomeOf(operation Operation, err error) *OutcomeError {
	var said *OutcomeError
	if errors.As(err, &said) && said.Outcome != 0 {
		return said
	}
	switch {
	case said != nil && !operation.changes(): // an error is never OK: its Outcome was forgotten
		return &OutcomeError{Outcome: OutcomeInternal, Detail: err.Error()}
	case operation.changes(): // it may have happened
		return &OutcomeError{Outcome: OutcomeUnknown, Detail: err.Error()}
	case errors.Is(err, context.Canceled):
		return &OutcomeError{Outcome: OutcomeCancelled, Detail: err.Error()}
	case errors.Is(err, context.DeadlineExceeded):
		return &OutcomeError{Outcome: OutcomeDeadlineExceeded, Detail: err.Error()}
	default:
		return &OutcomeError{Outcome: OutcomeUnavailable, Detail: err.Error()}
	}
}

// complete ends a call. A reply that the library does not take is a fault of the connector, and said to be one.
func complete(call *C.deprov_call, operation Operation, reply Reply, err error) {
	var failed *OutcomeError
	if err != nil {
		failed = outcomeOf(operation, err)
	}
	refused := tell(call, reply, failed)
	if errors.Is(refused, ErrConflict) || errors.Is(refused, ErrClosed) || refused == nil {
		return // it counts, or nobody waits any more
	}
	outcome := OutcomeInternal
	if operation.changes() {
		outcome = OutcomeUnknown
	}
	// This one has nothing that could be wrong; without memory even for it, freeing the call says the same.
	_ = tell(call, Reply{}, &OutcomeError{Outcome: outcome, Detail: "what the connector answered makes no sense: " + refused.Error()})
}

func tell(call *C.deprov_call, reply Reply, failed *OutcomeError) error {
	c := (*C.deprov_reply)(C.calloc(1, C.sizeof_deprov_reply))
	defer C.free(unsafe.Pointer(c))
	c.struct_size = C.sizeof_deprov_reply
	c.effect = C.int32_t(reply.Effect)
	if len(reply.Accounts) > 0 {
		text, err := json.Marshal(reply.Accounts)
		if err != nil {
			return &Error{Status: ErrInvalidArgument, Detail: "cannot become JSON", Where: "Reply.Accounts", cause: err}
		}
		c.accounts = cBytes(string(text))
	}
	c.next_cursor, c.handle = cBytes(reply.NextCursor), cBytes(reply.Handle)
	if failed != nil {
		c.outcome = C.int32_t(failed.Outcome)
		c.throttle_scope = C.int32_t(failed.Scope)
		c.detail = cBytes(failed.Error())
		if failed.RetryAfter != nil {
			c.has_retry_after, c.retry_after_ms = 1, C.int64_t(milliseconds(*failed.RetryAfter))
		}
	}
	for _, s := range []C.deprov_str{c.accounts, c.next_cursor, c.handle, c.detail} {
		defer freeStr(s)
	}
	var why *C.deprov_error
	atBorder()
	return takeError(C.deprov_call_complete(call, c, &why), why)
}

// ---- what the library calls, by way of shim.c

//export deprovGoFree
func deprovGoFree(user C.uintptr_t) { release(user) }

//export deprovGoKey
func deprovGoKey(user C.uintptr_t, out *C.uint8_t) C.deprov_status {
	atBorder()
	source := valueOf(user).(*keySource)
	key, err := source.ask()
	if err == nil && len(key) != 32 {
		err = &Error{Status: ErrInvalidArgument, Detail: "has " + itoa(len(key)) + " bytes, not 32", Where: "Options.KeyFunc"}
	}
	if err != nil {
		source.err = err
		var status Status
		var ours *Error
		switch {
		case errors.As(err, &ours) && ours.Status != 0:
			status = ours.Status
		case errors.As(err, &status) && status != 0:
		default:
			status = ErrUnavailable
		}
		return C.deprov_status(status)
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(out)), 32), key)
	return C.DEPROV_OK
}

//export deprovGoClock
func deprovGoClock(user C.uintptr_t) C.int64_t {
	return C.int64_t(valueOf(user).(func() time.Time)().UnixMicro())
}

//export deprovGoLog
func deprovGoLog(user C.uintptr_t, level C.int32_t, message C.deprov_str) {
	atBorder()
	valueOf(user).(func(Level, string))(Level(level), goString(message))
}

//export deprovGoRecord
func deprovGoRecord(user C.uintptr_t, exchange C.deprov_str) {
	atBorder()
	valueOf(user).(func([]byte))(goBytes(exchange))
}

//export deprovGoOpen
func deprovGoOpen(user C.uintptr_t, config C.deprov_str, instance *C.uintptr_t, why **C.deprov_error) C.deprov_status {
	atBorder()
	k := valueOf(user).(*kind)
	opened, err := k.connect(goBytes(config))
	if err != nil {
		var status C.deprov_status
		status, *why = newCError(err)
		return status
	}
	*instance = newHandle(&connection{Connection: opened, inline: k.inline, calls: make(map[*C.deprov_call]context.CancelFunc)})
	return C.DEPROV_OK
}

//export deprovGoClose
func deprovGoClose(instance C.uintptr_t) {
	c := valueOf(instance).(*connection)
	release(instance)
	c.close()
}

//export deprovGoStart
func deprovGoStart(instance C.uintptr_t, call *C.deprov_call) {
	atBorder()
	valueOf(instance).(*connection).start(call)
}

//export deprovGoCancel
func deprovGoCancel(instance C.uintptr_t, call *C.deprov_call) {
	valueOf(instance).(*connection).cancel(call)
}
