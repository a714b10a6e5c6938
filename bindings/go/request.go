package deprov

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"sync"
	"unsafe"
)

// Request is a request as an HTTP server got it.
type Request struct {
	Method string // upper case
	Target string // path and query: /scim/v2/{integration}/…, /api/v1/…, /healthz, /metrics
	Header http.Header
	Body   []byte
	Peer   string // address of the client, for the activity

	// Local: the local administrator asks, of Workspace (empty: of none, which is enough to make one), whatever the
	// header says; for targets below /api/v1.
	Local     bool
	Workspace string

	// Subject is the SCIM id of the User whom the program has authenticated, for /Me. It gives no access.
	Subject string
}

// Response is an answer; what SCIM and the admin API refuse is one, too: see its Status.
type Response struct {
	Status int
	Header http.Header
	Body   []byte // all of it, or nil where there is a Stream
	// Stream is the body that comes in pieces: large lists, exports, activity that is followed. It is read to its end
	// or closed.
	Stream *Stream
}

// Close lets go of a Stream; it does nothing where there is none.
func (r *Response) Close() error {
	if r.Stream == nil {
		return nil
	}
	return r.Stream.Close()
}

// ReadAll is the whole body, wherever it comes from.
func (r *Response) ReadAll() ([]byte, error) {
	if r.Stream == nil {
		return r.Body, nil
	}
	defer r.Stream.Close()
	return io.ReadAll(r.Stream)
}

// packed is a request in two pieces of memory that C reads during the call.
type packed struct {
	text    []byte
	lengths []C.uint32_t
}

var packs = sync.Pool{New: func() any { return new(packed) }}

func (p *packed) add(s string) {
	p.text = append(p.text, s...)
	p.lengths = append(p.lengths, C.uint32_t(len(s)))
}

const maxText = 1 << 20 // far above what the library takes of target and headers together

func (p *packed) fill(r *Request) (headers int, err error) {
	p.text, p.lengths = p.text[:0], p.lengths[:0]
	if len(r.Target) > maxText || len(r.Peer) > maxText || len(r.Method) > maxText || len(r.Workspace) > maxText ||
		len(r.Subject) > maxText {
		return 0, &Error{Status: ErrLimitExceeded, Detail: "is longer than a megabyte", Where: "request.target"}
	}
	p.add(r.Method)
	p.add(r.Target)
	p.add(r.Peer)
	p.add(r.Workspace)
	p.add(r.Subject)
	for name, values := range r.Header {
		for _, value := range values {
			headers++
			if headers > C.DEPROV_GO_MAX_HEADERS || len(p.text) > 2*maxText || len(name)+len(value) > maxText {
				return 0, &Error{Status: ErrLimitExceeded, Detail: "more than 256 headers, or than a megabyte of them",
					Where: "request.header"}
			}
			p.add(name)
			p.add(value)
		}
	}
	if len(p.text) == 0 {
		p.text = append(p.text, 0) // something to point at
	}
	return headers, nil
}

func (p *packed) whoAndWhat(r *Request) (as C.int32_t, body *C.char) {
	as = C.DEPROV_AS_TOKEN
	if r.Local {
		as = C.DEPROV_AS_LOCAL
	}
	if len(r.Body) > 0 {
		body = (*C.char)(unsafe.Pointer(&r.Body[0]))
	}
	return as, body
}

var answers = sync.Pool{New: func() any { return new(C.deprov_go_answer) }}

// room is C's memory, which cgo need not look through at each call.
type room struct{ asked *C.deprov_go_asked }

var rooms = sync.Pool{New: func() any {
	r := &room{(*C.deprov_go_asked)(C.calloc(1, C.sizeof_deprov_go_asked))}
	runtime.SetFinalizer(r, func(r *room) { C.free(unsafe.Pointer(r.asked)) })
	return r
}}

// Do carries a request out and waits for the answer. Where the context ends first, nobody waits for it any more: what
// was asked for may happen all the same.
//
// Errors: ErrClosed; ErrBusy (65536 requests are under way); ErrInvalidArgument, ErrLimitExceeded naming the member;
// ErrCancelled or ErrTimeout with the context's own. What SCIM or the admin API refuses is no error: see
// Response.Status.
func (e *Engine) Do(ctx context.Context, request *Request) (*Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, contextError(err, "request")
	}
	if request == nil {
		return nil, &Error{Status: ErrInvalidArgument, Detail: "is nil", Where: "request"}
	}
	id, w, others, ok := e.waitAmong()
	if !ok {
		return nil, e.gone()
	}
	if !others && !e.hostDriven && e.leading.TryLock() {
		response, err := e.lead(ctx, request, id, w)
		if !errors.Is(err, ErrWrongThread) {
			return response, err
		}
		// A callback of the engine may not look for itself.
		if id, w, ok = e.wait(); !ok {
			return nil, e.gone()
		}
	}
	if !e.hostDriven {
		return e.follow(ctx, request, id, w)
	}
	token, err := e.send(request, id)
	if err != nil {
		e.forget(id)
		return nil, err
	}
	return e.await(ctx, w, token)
}

// follow is Do where others wait, too: what is answered in the crossing that begins it costs no more than that, and the rest is
// left to the poller, which one goroutine wakes for all.
func (e *Engine) follow(ctx context.Context, request *Request, id uint64, w *waiter) (*Response, error) {
	room := rooms.Get().(*room)
	defer rooms.Put(room)
	asked := room.asked
	if err := e.ask(request, id, 0, asked); err != nil {
		e.forget(id)
		return nil, err
	}
	own := int(asked.own)
	if own < 0 || asked.ended.events[own].response == nil {
		e.handOut(&asked.ended, -1)
		return e.await(ctx, w, asked.sent.token)
	}
	response := e.answer(ctx, asked.ended.events[own].response, &asked.answer)
	e.handOut(&asked.ended, own)
	e.forget(id)
	return response, nil
}

// lead is Do by a goroutine that waits alone, and so does not leave it to the poller and another goroutine to tell what has
// ended: it looks itself, for a moment, in the crossing that begins its request. What is answered soon costs no more than
// that. (Where many wait, one that is woken for all of them is the better way.)
func (e *Engine) lead(ctx context.Context, request *Request, id uint64, w *waiter) (*Response, error) {
	asked := e.asked
	if err := e.ask(request, id, 1, asked); err != nil {
		e.leading.Unlock()
		e.forget(id)
		return nil, err
	}
	token := asked.sent.token
	for {
		if own := int(asked.own); own >= 0 {
			got := asked.ended.events[own]
			var response *Response
			if got.response != nil {
				response = e.answer(ctx, got.response, &asked.answer)
			}
			e.handOut(&asked.ended, own)
			e.leading.Unlock()
			e.forget(id)
			if response == nil {
				return nil, errUnanswered(got.status)
			}
			return response, nil
		}
		e.handOut(&asked.ended, -1)
		// Whoever drains the queue may have been faster in between.
		if asked.ended.taken == 0 || len(w.event) != 0 || ctx.Err() != nil || !e.look(id, asked) {
			e.leading.Unlock()
			return e.await(ctx, w, token)
		}
	}
}

// ask begins a request and takes what has ended within so many milliseconds.
func (e *Engine) ask(request *Request, id uint64, milliseconds int64, asked *C.deprov_go_asked) error {
	p := packs.Get().(*packed)
	defer packs.Put(p)
	headers, err := p.fill(request)
	if err != nil {
		return err
	}
	as, body := p.whoAndWhat(request)
	c := e.enter()
	if c == nil {
		return e.gone()
	}
	defer e.leave()
	C.deprov_go_ask(c, as, (*C.char)(unsafe.Pointer(&p.text[0])), &p.lengths[0], C.size_t(headers), body,
		C.size_t(len(request.Body)), C.uint64_t(id), C.int64_t(milliseconds), asked)
	return takeError(asked.sent.status, asked.sent.error)
}

// look takes what has ended within a moment more. false: the engine is gone.
func (e *Engine) look(id uint64, asked *C.deprov_go_asked) bool {
	c := e.enter()
	if c == nil {
		return false
	}
	defer e.leave()
	C.deprov_go_lead(c, C.uint64_t(id), asked)
	return true
}

func errUnanswered(status C.deprov_status) error {
	return &Error{Status: Status(status), Detail: "the engine was closed before the answer", Where: "request"}
}

// await waits for the answer of what was begun.
func (e *Engine) await(ctx context.Context, w *waiter, token C.uint64_t) (*Response, error) {
	var got event
	select {
	case got = <-w.event:
	case <-ctx.Done():
		e.cancel(token)
		got = <-w.event // at once: its own answer, or that it was cancelled
		if got.response != nil {
			C.deprov_response_free(got.response)
		}
		return nil, contextError(ctx.Err(), "request")
	}
	if got.status != C.DEPROV_OK {
		return nil, errUnanswered(got.status)
	}
	a := answers.Get().(*C.deprov_go_answer)
	defer answers.Put(a)
	atBorder()
	C.deprov_go_answer_get(got.response, a)
	return e.answer(ctx, got.response, a), nil
}

func (e *Engine) send(request *Request, id uint64) (C.uint64_t, error) {
	p := packs.Get().(*packed)
	defer packs.Put(p)
	headers, err := p.fill(request)
	if err != nil {
		return 0, err
	}
	as, body := p.whoAndWhat(request)
	c := e.enter()
	if c == nil {
		return 0, e.gone()
	}
	defer e.leave()
	sent := C.deprov_go_send(c, as, (*C.char)(unsafe.Pointer(&p.text[0])), &p.lengths[0], C.size_t(headers), body,
		C.size_t(len(request.Body)), C.uint64_t(id))
	return sent.token, takeError(sent.status, sent.error)
}

func (e *Engine) cancel(token C.uint64_t) {
	c := e.enter()
	if c == nil {
		return // everything that was under way has its event by now
	}
	defer e.leave()
	C.deprov_engine_cancel(c, token, nil) // it may have ended meanwhile
}

// answer copies a response, of which `a` says what it has, and frees it or leaves it to its stream.
func (e *Engine) answer(ctx context.Context, c *C.deprov_response, a *C.deprov_go_answer) *Response {
	r := &Response{Status: int(a.status), Header: make(http.Header, int(a.header_count))}
	for i := 0; i < int(a.header_count); i++ {
		var h C.deprov_header
		if i < C.DEPROV_GO_HEADERS {
			h = a.headers[i]
		} else {
			h = C.deprov_response_get_header(c, C.size_t(i))
		}
		r.Header.Add(goString(h.name), goString(h.value))
	}
	if a.streaming != 0 {
		r.Stream = newStream(ctx, e, c)
		return r
	}
	r.Body = goBytes(a.body)
	C.deprov_response_free(c)
	return r
}

// Stream is a body in pieces: an io.ReadCloser, or piece by piece with Next. One goroutine at a time reads; any may
// close.
type Stream struct {
	ctx    context.Context // of the request: what Read waits with
	engine *Engine

	mu     sync.Mutex
	c      *C.deprov_response // nil: closed
	asked  *waiter            // a piece was asked for, and did not come yet
	id     uint64             // of that
	rest   []byte             // what Read has not given yet
	closed chan struct{}
	err    error // what ended it
}

func newStream(ctx context.Context, e *Engine, c *C.deprov_response) *Stream {
	s := &Stream{ctx: ctx, engine: e, c: c, closed: make(chan struct{})}
	// Who forgets to close loses nothing but time.
	runtime.SetFinalizer(s, func(s *Stream) { _ = s.Close() })
	return s
}

// Next is the next piece; io.EOF: that was all. Where the context ends first no piece is lost: ask again.
//
// Errors: io.EOF; ErrClosed (the stream or the engine was closed); ErrCancelled or ErrTimeout with the context's own.
func (s *Stream) Next(ctx context.Context) ([]byte, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, contextError(err, "body")
		}
		asked, piece, err := s.poll()
		if err != nil || piece != nil {
			return piece, err
		}
		select {
		case <-asked.event:
			s.mu.Lock()
			if s.asked == asked {
				s.asked = nil
			}
			s.mu.Unlock()
		case <-s.closed:
			return nil, errBodyClosed()
		case <-ctx.Done():
			return nil, contextError(ctx.Err(), "body")
		}
	}
}

func errBodyClosed() error {
	return &Error{Status: ErrClosed, Detail: "the body was closed before its end", Where: "body"}
}

// poll answers with a piece that is there, or asks for one: then with whom to wait for.
func (s *Stream) poll() (*waiter, []byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer runtime.KeepAlive(s)
	if s.err != nil {
		return nil, nil, s.err
	}
	if s.c == nil {
		return nil, nil, errBodyClosed()
	}
	if s.asked != nil {
		return s.asked, nil, nil
	}
	if s.engine.enter() == nil {
		return nil, nil, s.engine.gone()
	}
	defer s.engine.leave()
	got := C.deprov_go_piece(s.c)
	switch got.status {
	case C.DEPROV_OK:
		C.deprov_error_free(got.error)
		piece := goBytes(got.text)
		if piece == nil {
			piece = []byte{} // empty, and none the less a piece
		}
		return nil, piece, nil
	case C.DEPROV_END:
		C.deprov_error_free(got.error)
		s.err = io.EOF
		return nil, nil, io.EOF
	case C.DEPROV_ERR_TIMEOUT:
		C.deprov_error_free(got.error)
	default:
		s.err = takeError(got.status, got.error)
		return nil, nil, s.err
	}
	id, w, ok := s.engine.wait()
	if !ok {
		return nil, nil, s.engine.gone()
	}
	var why *C.deprov_error
	if err := takeError(C.deprov_go_want(s.c, C.uint64_t(id), &why), why); err != nil {
		s.engine.forget(id)
		return nil, nil, err
	}
	s.asked, s.id = w, id
	return w, nil, nil
}

// Read waits with the context of the request.
func (s *Stream) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(s.rest) == 0 {
		piece, err := s.Next(s.ctx)
		if err != nil {
			return 0, err
		}
		s.rest = piece
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// Close ends the work behind a body that was not read to its end. Twice is once; also after the engine was closed.
func (s *Stream) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.c != nil {
		s.free()
	}
	return nil
}

func (s *Stream) free() {
	runtime.SetFinalizer(s, nil)
	if s.asked != nil {
		s.engine.forget(s.id)
	}
	if s.engine.enter() != nil { // not beside the end of the engine
		defer s.engine.leave()
	}
	C.deprov_response_free(s.c)
	s.c = nil
	close(s.closed)
}
