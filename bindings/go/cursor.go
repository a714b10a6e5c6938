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
	rowsSubjects      rowsKind = C.DEPROV_ROWS_SUBJECTS
	rowsJobs          rowsKind = C.DEPROV_ROWS_JOBS
	rowsActivity      rowsKind = C.DEPROV_ROWS_ACTIVITY
	rowsHolds         rowsKind = C.DEPROV_ROWS_HOLDS
	rowsNotifications rowsKind = C.DEPROV_ROWS_NOTIFICATIONS
)

// cursor is rows of the library.
type cursor struct {
	engine *Engine
	c      *C.deprov_rows
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
		return nil, e.gone()
	}
	defer e.leave()
	var rows *C.deprov_rows
	var why *C.deprov_error
	if err := takeError(C.deprov_rows_open(c, caller, o, &rows, &why), why); err != nil {
		return nil, err
	}
	made := &cursor{engine: e, c: rows}
	runtime.SetFinalizer(made, (*cursor).free) // for who forgets to close
	return made, nil
}

// next answers with io.EOF at the end. Where the context ends first, nobody waits for the row any more, but it is not
// lost: it is the next one.
func (r *cursor) next(ctx context.Context) ([]byte, error) {
	defer runtime.KeepAlive(r)
	if err := ctx.Err(); err != nil {
		return nil, contextError(err, "rows")
	}
	id, w, ok := r.engine.wait()
	if !ok {
		return nil, r.engine.gone()
	}
	token, err := r.want(id)
	if err != nil {
		r.engine.forget(id)
		return nil, err
	}
	if token == 0 { // it is there, or it is known that there is none
		r.engine.forget(id)
		return r.read()
	}
	select {
	case got := <-w.event:
		if got.status != C.DEPROV_OK {
			return nil, r.engine.gone()
		}
	case <-ctx.Done():
		r.engine.cancel(token)
		<-w.event // at once
		return nil, contextError(ctx.Err(), "rows")
	}
	return r.read()
}

func (r *cursor) want(id uint64) (C.uint64_t, error) {
	if r.engine.enter() == nil {
		return 0, r.engine.gone()
	}
	defer r.engine.leave()
	wanted := C.deprov_go_want_row(r.c, C.uint64_t(id))
	return wanted.token, takeError(wanted.status, wanted.error)
}

// read takes the row that is there.
func (r *cursor) read() ([]byte, error) {
	if r.engine.enter() == nil {
		return nil, r.engine.gone()
	}
	defer r.engine.leave()
	got := C.deprov_go_row(r.c)
	if got.status == C.DEPROV_END {
		C.deprov_error_free(got.error)
		return nil, io.EOF
	}
	if err := takeError(got.status, got.error); err != nil {
		return nil, err
	}
	return goBytes(got.text), nil
}

// restart is after the row that was given last.
func (r *cursor) restart() string {
	defer runtime.KeepAlive(r)
	if r.c == nil {
		return ""
	}
	return goString(C.deprov_rows_get_restart(r.c))
}

func (r *cursor) free() {
	runtime.SetFinalizer(r, nil)
	C.deprov_rows_free(r.c) // NULL, the second time
	r.c = nil
}
