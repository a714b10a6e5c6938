package deprov

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"context"
	"errors"
	"strings"
	"sync"
	"unsafe"
)

// Status says what became of a call. It is an error itself, for errors.Is:
//
//	if errors.Is(err, deprov.ErrNotFound) { … }
//
// A library that is newer than this package may answer others.
type Status int32

// What can go wrong; see deprov.h for each.
const (
	ErrInvalidSyntax        Status = C.DEPROV_ERR_INVALID_SYNTAX
	ErrInvalidFilter        Status = C.DEPROV_ERR_INVALID_FILTER
	ErrInvalidPath          Status = C.DEPROV_ERR_INVALID_PATH
	ErrNoTarget             Status = C.DEPROV_ERR_NO_TARGET
	ErrInvalidValue         Status = C.DEPROV_ERR_INVALID_VALUE
	ErrMutability           Status = C.DEPROV_ERR_MUTABILITY
	ErrUniqueness           Status = C.DEPROV_ERR_UNIQUENESS
	ErrTooMany              Status = C.DEPROV_ERR_TOO_MANY
	ErrInvalidVersion       Status = C.DEPROV_ERR_INVALID_VERSION
	ErrSensitive            Status = C.DEPROV_ERR_SENSITIVE
	ErrInvalidArgument      Status = C.DEPROV_ERR_INVALID_ARGUMENT // a bad option, configuration or record
	ErrLimitExceeded        Status = C.DEPROV_ERR_LIMIT_EXCEEDED   // a size, depth or count over its bound
	ErrUnsupportedMediaType Status = C.DEPROV_ERR_UNSUPPORTED_MEDIA_TYPE
	ErrUnsupported          Status = C.DEPROV_ERR_UNSUPPORTED // known, and not offered here
	ErrInvalidCursor        Status = C.DEPROV_ERR_INVALID_CURSOR
	ErrExpiredCursor        Status = C.DEPROV_ERR_EXPIRED_CURSOR
	ErrInvalidCount         Status = C.DEPROV_ERR_INVALID_COUNT
	ErrUnauthorized         Status = C.DEPROV_ERR_UNAUTHORIZED
	ErrForbidden            Status = C.DEPROV_ERR_FORBIDDEN
	ErrNotFound             Status = C.DEPROV_ERR_NOT_FOUND
	ErrMethodNotAllowed     Status = C.DEPROV_ERR_METHOD_NOT_ALLOWED
	ErrConflict             Status = C.DEPROV_ERR_CONFLICT // the present state does not allow it
	ErrPreconditionFailed   Status = C.DEPROV_ERR_PRECONDITION_FAILED
	ErrRateLimited          Status = C.DEPROV_ERR_RATE_LIMITED
	ErrBusy                 Status = C.DEPROV_ERR_BUSY // back-pressure: try again later, nothing was done
	ErrIO                   Status = C.DEPROV_ERR_IO
	ErrStorageFull          Status = C.DEPROV_ERR_STORAGE_FULL
	ErrStoreVersion         Status = C.DEPROV_ERR_STORE_VERSION // the store was written by a newer deprov
	ErrStoreCorrupt         Status = C.DEPROV_ERR_STORE_CORRUPT
	ErrStoreLocked          Status = C.DEPROV_ERR_STORE_LOCKED // another engine has the data directory
	ErrCommitUnknown        Status = C.DEPROV_ERR_COMMIT_UNKNOWN
	ErrStaleRead            Status = C.DEPROV_ERR_STALE_READ
	ErrFenced               Status = C.DEPROV_ERR_FENCED
	ErrHeldByGuard          Status = C.DEPROV_ERR_HELD_BY_GUARD
	ErrTimeout              Status = C.DEPROV_ERR_TIMEOUT
	ErrCancelled            Status = C.DEPROV_ERR_CANCELLED
	ErrUnavailable          Status = C.DEPROV_ERR_UNAVAILABLE
	ErrProtocol             Status = C.DEPROV_ERR_PROTOCOL
	ErrClosed               Status = C.DEPROV_ERR_CLOSED   // the engine is closed, or what was asked for ended with it
	ErrInternal             Status = C.DEPROV_ERR_INTERNAL // a fault of deprov
	ErrWrongThread          Status = C.DEPROV_ERR_WRONG_THREAD
	ErrNoMemory             Status = C.DEPROV_ERR_NO_MEMORY
)

var knownStatuses = []Status{
	ErrInvalidSyntax, ErrInvalidFilter, ErrInvalidPath, ErrNoTarget, ErrInvalidValue, ErrMutability, ErrUniqueness,
	ErrTooMany, ErrInvalidVersion, ErrSensitive, ErrInvalidArgument, ErrLimitExceeded, ErrUnsupportedMediaType,
	ErrUnsupported, ErrInvalidCursor, ErrExpiredCursor, ErrInvalidCount, ErrUnauthorized, ErrForbidden, ErrNotFound,
	ErrMethodNotAllowed, ErrConflict, ErrPreconditionFailed, ErrRateLimited, ErrBusy, ErrIO, ErrStorageFull,
	ErrStoreVersion, ErrStoreCorrupt, ErrStoreLocked, ErrCommitUnknown, ErrStaleRead, ErrFenced, ErrHeldByGuard,
	ErrTimeout, ErrCancelled, ErrUnavailable, ErrProtocol, ErrClosed, ErrInternal, ErrWrongThread, ErrNoMemory,
}

// String is the stable short name, such as "not_found"; "unknown" for a number that is none.
func (s Status) String() string { return goString(C.deprov_status_get_name(C.deprov_status(s))) }

// Error is String, so that a Status can be the target of errors.Is.
func (s Status) Error() string { return s.String() }

var statusNames struct {
	once   sync.Once
	byName map[string]Status
}

// statusNamed finds what the admin API calls by name; what nobody knows is a fault of deprov.
func statusNamed(name string) Status {
	statusNames.once.Do(func() {
		statusNames.byName = make(map[string]Status, len(knownStatuses))
		for _, s := range knownStatuses {
			statusNames.byName[s.String()] = s
		}
	})
	if s, ok := statusNames.byName[name]; ok {
		return s
	}
	return ErrInternal
}

// Error is why something failed. errors.Is compares it with a Status, errors.As gets at its parts:
//
//	var why *deprov.Error
//	if errors.As(err, &why) { log.Print(why.Where, why.Advice) }
//
// Where a context ended the call, errors.Is also finds context.Canceled or context.DeadlineExceeded in it.
type Error struct {
	Status Status
	Detail string // what is wrong, as one sentence without a full stop
	Where  string // an option, an attribute, a file
	Advice string // what to do about it
	cause  error
}

// Error says everything in one line: where: detail; advice.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("deprov: ")
	if e.Where != "" {
		b.WriteString(e.Where)
		b.WriteString(": ")
	}
	if e.Detail != "" {
		b.WriteString(e.Detail)
	} else {
		b.WriteString(e.Status.String())
	}
	if e.Advice != "" {
		b.WriteString("; ")
		b.WriteString(e.Advice)
	}
	if e.cause != nil {
		b.WriteString(": ")
		b.WriteString(e.cause.Error())
	}
	return b.String()
}

// Is holds for the Status of the error.
func (e *Error) Is(target error) bool {
	s, ok := target.(Status)
	return ok && s == e.Status
}

// Unwrap answers what the host itself caused it with: the context's error, or that of a callback.
func (e *Error) Unwrap() error { return e.cause }

// takeError makes a Go error of a status and the error that came with it, and frees that.
func takeError(status C.deprov_status, why *C.deprov_error) error {
	if status == C.DEPROV_OK {
		return nil
	}
	e := &Error{Status: Status(status)}
	if why != nil {
		e.Detail = goString(C.deprov_error_get_detail(why))
		e.Where = goString(C.deprov_error_get_where(why))
		e.Advice = goString(C.deprov_error_get_advice(why))
		C.deprov_error_free(why)
	}
	return e
}

// contextError is what a call answers that its context has ended.
func contextError(cause error, what string) error {
	status := ErrCancelled
	if errors.Is(cause, context.DeadlineExceeded) {
		status = ErrTimeout
	}
	return &Error{Status: status, Detail: "the context ended", Where: what, cause: cause}
}

// newCError makes an error for a callback to answer; the library takes it over.
func newCError(err error) (C.deprov_status, *C.deprov_error) {
	e := &Error{Status: ErrInternal, Detail: err.Error()}
	var ours *Error
	var status Status
	if errors.As(err, &ours) {
		e = ours
	} else if errors.As(err, &status) {
		e = &Error{Status: status, Detail: err.Error()}
	}
	if e.Status == 0 {
		e = &Error{Status: ErrInternal, Detail: err.Error()}
	}
	detail, where, advice := cBytes(e.Detail), cBytes(e.Where), cBytes(e.Advice)
	defer freeStr(detail)
	defer freeStr(where)
	defer freeStr(advice)
	return C.deprov_status(e.Status), C.deprov_error_new(C.deprov_status(e.Status), detail, where, advice)
}

// ---- text across the border

func goString(s C.deprov_str) string { return string(borrowed(s)) }

func goBytes(s C.deprov_str) []byte {
	if s.len == 0 {
		return nil
	}
	return append(make([]byte, 0, int(s.len)), borrowed(s)...)
}

// borrowed is memory of the library: good as long as what it was asked of says.
func borrowed(s C.deprov_str) []byte {
	if s.ptr == nil || s.len == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(s.ptr)), int(s.len))
}

// cBytes copies text to where C may keep a pointer to it; freeStr gives it back.
func cBytes(s string) C.deprov_str {
	if s == "" {
		return C.deprov_str{}
	}
	return C.deprov_str{ptr: C.CString(s), len: C.size_t(len(s))}
}

func freeStr(s C.deprov_str) { C.free(unsafe.Pointer(s.ptr)) }
