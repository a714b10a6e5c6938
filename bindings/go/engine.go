package deprov

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// Engine is a running engine, of Open. Its methods may be called by any goroutine at once; those of a nil one, or of one
// that Open did not make, answer ErrClosed.
type Engine struct {
	// Held for reading by whoever is inside the library with `c`, for writing by whoever frees it.
	mu sync.RWMutex
	c  *C.deprov_engine

	hostDriven bool
	leading    sync.Mutex         // of who looks himself what has ended, since nobody else waits
	asked      *C.deprov_go_asked // where that goroutine gets it

	last    atomic.Uint64 // the number of the waiter that was made last
	waiters struct {
		sync.Mutex
		byID map[uint64]*waiter
		over bool // nobody drains the queue any more
	}
	drained chan struct{} // closed when the queue was read to its end

	closing sync.Once
	closed  chan struct{} // closed when `left` is there and the engine was freed
	left    error
}

// waiter is whoever waits for one event.
type waiter struct {
	event chan event // has room for the one
}

type event struct {
	status   C.deprov_status
	response *C.deprov_response
}

// Open opens an engine and waits until it runs. Where the context ends first, what was opened meanwhile is closed
// again, behind it.
//
// Errors: ErrStoreLocked, ErrStoreVersion, ErrNotFound, ErrIO, ErrForbidden (others may read the key file),
// ErrInvalidArgument naming the option.
func Open(ctx context.Context, options Options) (*Engine, error) {
	if err := ctx.Err(); err != nil {
		return nil, contextError(err, "open")
	}
	if ctx.Done() == nil {
		return open(options)
	}
	type opened struct {
		engine *Engine
		err    error
	}
	done := make(chan opened, 1)
	go func() {
		e, err := open(options)
		done <- opened{e, err}
	}()
	select {
	case o := <-done:
		return o.engine, o.err
	case <-ctx.Done():
		go func() {
			if o := <-done; o.engine != nil {
				_ = o.engine.Close(context.Background())
			}
		}()
		return nil, contextError(ctx.Err(), "open")
	}
}

func open(options Options) (*Engine, error) {
	c, err := options.open()
	if err != nil {
		return nil, err
	}
	e := &Engine{c: c, hostDriven: options.HostDriven, drained: make(chan struct{}), closed: make(chan struct{})}
	e.waiters.byID = make(map[uint64]*waiter)
	queue, err := pollable(int(C.deprov_engine_get_event_descriptor(c)), "deprov events")
	if err != nil {
		C.deprov_engine_free(c)
		return nil, err
	}
	e.asked = (*C.deprov_go_asked)(C.calloc(1, C.sizeof_deprov_go_asked))
	go e.drain(queue)
	return e, nil
}

// pollable makes a file of a descriptor of the library, for the runtime's poller alone; the library keeps its own.
func pollable(fd int, name string) (*os.File, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	duplicate, err := syscall.Dup(fd)
	if err != nil {
		return nil, &Error{Status: ErrIO, Detail: "the descriptor could not be duplicated", Where: name, cause: err}
	}
	syscall.CloseOnExec(duplicate)
	return os.NewFile(uintptr(duplicate), name), nil
}

// drain takes what has ended out of the queue, many at a time, until the engine is closed and the queue is empty.
// No thread waits for it: the runtime's poller does.
func (e *Engine) drain(queue *os.File) {
	defer close(e.drained)
	defer queue.Close()
	batch := (*C.deprov_go_events)(C.malloc(C.sizeof_deprov_go_events))
	defer C.free(unsafe.Pointer(batch))
	raw, err := queue.SyscallConn()
	if err == nil {
		err = raw.Read(func(uintptr) bool { return e.take(batch) })
	}
	if err != nil { // no poller for it: nothing of a Linux that this library runs on
		panic("deprov: the completion queue cannot be waited for: " + err.Error())
	}
	e.waiters.Lock()
	defer e.waiters.Unlock()
	e.waiters.over = true
	for id, w := range e.waiters.byID {
		w.event <- event{status: C.DEPROV_ERR_CLOSED}
		delete(e.waiters.byID, id)
	}
}

// take empties the queue; true: it will not fill again.
func (e *Engine) take(batch *C.deprov_go_events) bool {
	for {
		atBorder()
		switch C.deprov_go_next(e.c, batch) {
		case C.DEPROV_OK:
		case C.DEPROV_ERR_CLOSED:
			return true
		default:
			return false
		}
		e.handOut(batch, -1)
	}
}

// handOut gives everybody theirs, but for one of them.
func (e *Engine) handOut(batch *C.deprov_go_events, but int) {
	e.waiters.Lock()
	defer e.waiters.Unlock()
	for i, got := range batch.events[:batch.taken] {
		if i == but {
			continue
		}
		id := uint64(got.user)
		if w, ok := e.waiters.byID[id]; ok {
			delete(e.waiters.byID, id)
			w.event <- event{got.status, got.response}
		} else { // a body that was closed, or a kind that is newer than this package
			C.deprov_response_free(got.response)
		}
	}
}

// wait registers a waiter under a new number. false: nothing comes any more.
func (e *Engine) wait() (uint64, *waiter, bool) {
	id, w, _, ok := e.waitAmong()
	return id, w, ok
}

// waitAmong is wait, and tells whether others wait, too.
func (e *Engine) waitAmong() (id uint64, w *waiter, others, ok bool) {
	if !e.opened() {
		return 0, nil, false, false
	}
	id = e.last.Add(1)
	w = &waiter{event: make(chan event, 1)}
	e.waiters.Lock()
	defer e.waiters.Unlock()
	if e.waiters.over {
		return 0, nil, false, false
	}
	e.waiters.byID[id] = w
	return id, w, len(e.waiters.byID) > 1, true
}

func (e *Engine) forget(id uint64) {
	e.waiters.Lock()
	delete(e.waiters.byID, id)
	e.waiters.Unlock()
}

// opened tells an engine of Open from a nil one and from one that somebody made by hand.
func (e *Engine) opened() bool { return e != nil && e.closed != nil }

// gone is why there is nothing of the library behind the engine.
func (e *Engine) gone() error {
	if e.opened() {
		return &Error{Status: ErrClosed, Detail: "the engine is closed", Where: "engine"}
	}
	return &Error{Status: ErrClosed, Detail: "the engine was never opened", Where: "engine",
		Advice: "use what deprov.Open answers, once its error is nil"}
}

// enter keeps the engine from being freed until leave. nil: there is none, see gone.
func (e *Engine) enter() *C.deprov_engine {
	if e == nil {
		return nil
	}
	e.mu.RLock()
	if e.c == nil {
		e.mu.RUnlock()
		return nil
	}
	atBorder()
	return e.c
}

func (e *Engine) leave() { e.mu.RUnlock() }

// Straggler is a call to a connector that had not ended when the engine was closed.
type Straggler struct {
	Connector string `json:"connector"`
	Operation string `json:"operation"`
	Account   string `json:"account"`
}

// UnfinishedError is what Close answers where something had not ended in time. The engine is closed all the same, and
// what the calls did is read back at the next start. errors.Is finds ErrTimeout in it.
type UnfinishedError struct {
	Requests []string    `json:"requests"` // tokens of the library
	Calls    []Straggler `json:"calls"`
	why      error
}

func (e *UnfinishedError) Error() string { return e.why.Error() }

// Unwrap is the *Error behind it.
func (e *UnfinishedError) Unwrap() error { return e.why }

// The time that Close gives where its context names no deadline.
const usualDeadline = 10 * time.Second

// Close closes in order: takes no further requests, asks calls to connectors to end soon, and waits for them and for
// requests under way until the context's deadline (without one: ten seconds). Twice is once, with the same answer.
// Where the context is cancelled, Close comes back, and the engine goes on closing.
//
// Errors: *UnfinishedError; the context's; ErrClosed of an engine that was never opened.
func (e *Engine) Close(ctx context.Context) error {
	if !e.opened() {
		return e.gone()
	}
	e.closing.Do(func() {
		deadline := usualDeadline
		if until, ok := ctx.Deadline(); ok {
			deadline = time.Until(until)
		}
		if ctx.Err() != nil || deadline < 0 {
			deadline = 0
		}
		go e.close(deadline)
	})
	select {
	case <-e.closed:
		return e.left
	case <-ctx.Done():
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) { // it was given to the library, which keeps it
		<-e.closed
		return e.left
	}
	return contextError(ctx.Err(), "close")
}

func (e *Engine) close(deadline time.Duration) {
	defer close(e.closed)
	var report *C.deprov_buffer
	var why *C.deprov_error
	atBorder()
	status := C.deprov_engine_close(e.c, C.int64_t(milliseconds(deadline)), &report, &why)
	text := goString(C.deprov_buffer_get(report))
	C.deprov_buffer_free(report)
	if err := takeError(status, why); err != nil {
		left := &UnfinishedError{why: err}
		if json.Unmarshal([]byte(text), left) == nil && status == C.DEPROV_ERR_TIMEOUT {
			err = left
		}
		e.left = err
	}
	<-e.drained
	e.leading.Lock() // for good: whoever led has read what it was told
	e.mu.Lock()
	defer e.mu.Unlock()
	C.deprov_engine_free(e.c)
	e.c = nil
	C.free(unsafe.Pointer(e.asked))
}

// milliseconds rounds up: nobody asks for a moment and gets none.
func milliseconds(d time.Duration) int64 { return int64((d + time.Millisecond - 1) / time.Millisecond) }

// Pump, for HostDriven, runs what is ready, for about the budget and at least one piece of work. It answers how long
// there will be nothing to do unless something is asked for; 0 where work is left.
//
// Errors: ErrUnsupported (not HostDriven), ErrWrongThread (by a callback), ErrClosed.
func (e *Engine) Pump(budget time.Duration) (time.Duration, error) {
	c := e.enter()
	if c == nil {
		return 0, e.gone()
	}
	defer e.leave()
	var wait C.int64_t
	var why *C.deprov_error
	status := C.deprov_engine_pump(c, C.int64_t(milliseconds(budget)), &wait, &why)
	if err := takeError(status, why); err != nil {
		return 0, err
	}
	if int64(wait) > int64(math.MaxInt64/time.Millisecond) {
		return math.MaxInt64, nil
	}
	return time.Duration(wait) * time.Millisecond, nil
}

// Version is that of the library, such as "0.1.0".
func Version() string { return goString(C.deprov_build_get_version()) }

// HasFeature tells whether the library has a feature, such as "connector.scim"; see deprov.h for their names.
func HasFeature(name string) bool {
	c := cBytes(name)
	defer freeStr(c)
	return C.deprov_build_has_feature(c) != 0
}

func itoa(i int) string { return strconv.Itoa(i) }
