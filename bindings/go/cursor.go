package deprov

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"context"
	"io"
	"runtime"
	"unsafe"
)

type rowsKind int32

const (
	rowsSubjects rowsKind = C.DEPROV_ROWS_SUBJECTS
	rowsJobs     rowsKind = C.DEPROV_ROWS_JOBS
	rowsActivity rowsKind = C.DEPROV_ROWS_ACTIVITY
	rowsHolds    rowsKind = C.DEPROV_ROWS_HOLDS
)

// cursor is rows of the library. Reading a page waits there, so a goroutine of its own does it where the context can
// end; what such a one reads although nobody waits any more is kept for the next time.
type cursor struct {
	engine  *Engine
	c       *C.deprov_rows
	restart string // after the row that was given last
	pending chan row
}

type row struct {
	bytes   []byte
	restart string
	err     error
}

func (e *Engine) openCursor(by Caller, kind rowsKind, options RowsOptions) (*cursor, error) {
	if err := by.check(); err != nil {
		return nil, err
	}
	if options.Page < 0 || options.Page > 1000 {
		return nil, &Error{Status: ErrInvalidArgument, Detail: "is not 0 to 1000", Where: "RowsOptions.Page"}
	}
	caller := (*C.deprov_caller)(C.calloc(1, C.sizeof_deprov_caller))
	o := (*C.deprov_rows_options)(C.calloc(1, C.sizeof_deprov_rows_options))
	defer C.free(unsafe.Pointer(caller))
	defer C.free(unsafe.Pointer(o))
	caller.struct_size, o.struct_size = C.sizeof_deprov_caller, C.sizeof_deprov_rows_options
	caller.workspace, caller.token = cBytes(by.Workspace), cBytes(by.Token)
	o.integration, o.restart, o.filter = cBytes(options.Integration), cBytes(options.Restart), cBytes(options.Filter.Encode())
	for _, s := range []C.deprov_str{caller.workspace, caller.token, o.integration, o.restart, o.filter} {
		defer freeStr(s)
	}
	o.kind, o.page = C.int32_t(kind), C.uint32_t(options.Page)
	c := e.enter()
	if c == nil {
		return nil, errClosed()
	}
	defer e.leave()
	var rows *C.deprov_rows
	var why *C.deprov_error
	if err := takeError(C.deprov_rows_open(c, caller, o, &rows, &why), why); err != nil {
		return nil, err
	}
	made := &cursor{engine: e, c: rows, restart: options.Restart}
	runtime.SetFinalizer(made, (*cursor).free) // for who forgets to close
	return made, nil
}

// next answers with io.EOF at the end.
func (r *cursor) next(ctx context.Context) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, contextError(err, "rows")
	}
	if r.pending == nil && ctx.Done() == nil {
		return r.give(r.read())
	}
	if r.pending == nil {
		pending := make(chan row, 1)
		r.pending = pending
		go func() { pending <- r.read() }()
	}
	select {
	case got := <-r.pending:
		r.pending = nil
		return r.give(got)
	case <-ctx.Done():
		return nil, contextError(ctx.Err(), "rows")
	}
}

func (r *cursor) give(got row) ([]byte, error) {
	if got.err == nil {
		r.restart = got.restart
	}
	return got.bytes, got.err
}

func (r *cursor) read() row {
	defer runtime.KeepAlive(r)
	if r.engine.enter() == nil {
		return row{err: errClosed()}
	}
	defer r.engine.leave()
	got := C.deprov_go_row(r.c)
	if got.status == C.DEPROV_END {
		C.deprov_error_free(got.error)
		return row{err: io.EOF}
	}
	if err := takeError(got.status, got.error); err != nil {
		return row{err: err}
	}
	return row{bytes: goBytes(got.text), restart: goString(C.deprov_rows_get_restart(r.c))}
}

func (r *cursor) close() {
	if r.pending != nil { // it is still inside
		go func(pending chan row) {
			<-pending
			r.free()
		}(r.pending)
		r.pending = nil
		return
	}
	r.free()
}

func (r *cursor) free() {
	runtime.SetFinalizer(r, nil)
	C.deprov_rows_free(r.c) // NULL, the second time
	r.c = nil
}
