package deprov

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/url"
)

// RowsOptions say which rows, and where to begin.
type RowsOptions struct {
	// Integration is its id. Subjects and holds need one; jobs without one are those of all; activity and
	// notifications without one are those of acts on the workspace.
	Integration string
	// Restart is what Rows.Restart answered once, in this process or in another: go on after that row.
	Restart string
	// Filter is more query parameters of the list, such as state=failed.
	Filter url.Values
	// Page is how many rows are read at once, 1 to 1000; 0: 200.
	Page int
}

// Rows are records, one after the other, read a page at a time. One goroutine at a time uses them.
//
//	rows := engine.Jobs(ctx, by, deprov.RowsOptions{})
//	defer rows.Close()
//	for rows.Next() {
//		fmt.Println(rows.Value().UserName)
//	}
//	if err := rows.Err(); err != nil { … }
//
// From Go 1.23 on, `for job, err := range rows.All()` does the same.
type Rows[T any] struct {
	ctx    context.Context
	cursor *cursor
	value  T
	raw    json.RawMessage
	err    error
	closed bool

	restart string // when they were closed
}

// Subjects of an integration, in the order in which they came. The context is that of all reading; what cannot be
// begun is told by Err.
func (e *Engine) Subjects(ctx context.Context, by Caller, options RowsOptions) *Rows[Subject] {
	return rowsOf[Subject](ctx, e, by, rowsSubjects, options)
}

// Jobs, the newest first; of one integration, or of all.
func (e *Engine) Jobs(ctx context.Context, by Caller, options RowsOptions) *Rows[Job] {
	return rowsOf[Job](ctx, e, by, rowsJobs, options)
}

// Holds of an integration, the newest first.
func (e *Engine) Holds(ctx context.Context, by Caller, options RowsOptions) *Rows[Hold] {
	return rowsOf[Hold](ctx, e, by, rowsHolds, options)
}

// Activity of one integration, or of acts on the workspace, the oldest first. It may have grown when Next is called
// again after its end, and goes on then.
func (e *Engine) Activity(ctx context.Context, by Caller, options RowsOptions) *Rows[Activity] {
	return rowsOf[Activity](ctx, e, by, rowsActivity, options)
}

// Notifications of one integration, or of the workspace itself: what there is to tell people, the oldest first. They may
// have grown when Next is called again after its end. Whoever keeps Restart behind what was dealt with, and begins there
// the next time, misses nothing.
func (e *Engine) Notifications(ctx context.Context, by Caller, options RowsOptions) *Rows[Notification] {
	return rowsOf[Notification](ctx, e, by, rowsNotifications, options)
}

func rowsOf[T any](ctx context.Context, e *Engine, by Caller, kind rowsKind, options RowsOptions) *Rows[T] {
	c, err := e.openCursor(by, kind, options)
	return &Rows[T]{ctx: ctx, cursor: c, err: err}
}

// Next reads the next row. false: there are no more, or Err says why.
func (r *Rows[T]) Next() bool {
	if r.err != nil || r.closed {
		return false
	}
	row, err := r.cursor.next(r.ctx)
	if err != nil {
		if !errors.Is(err, io.EOF) {
			r.err = err
		}
		return false
	}
	var value T
	if err := json.Unmarshal(row, &value); err != nil {
		r.err = &Error{Status: ErrProtocol, Detail: "a row does not fit", Where: "rows", cause: err}
		return false
	}
	r.value, r.raw = value, row
	return true
}

// Value is the row that Next read.
func (r *Rows[T]) Value() T { return r.value }

// Raw is the same as JSON, with all members.
func (r *Rows[T]) Raw() json.RawMessage { return r.raw }

// Err is what ended the rows, unless they came to their end.
func (r *Rows[T]) Err() error { return r.err }

// Restart is where these rows are: what RowsOptions.Restart takes, today or later. Empty before the first row.
func (r *Rows[T]) Restart() string {
	if r.cursor == nil || r.closed {
		return r.restart
	}
	return r.cursor.restart()
}

// Close lets go of them. Twice is once.
func (r *Rows[T]) Close() error {
	if r.cursor != nil && !r.closed {
		r.restart = r.cursor.restart()
		r.cursor.free()
	}
	r.closed = true
	return nil
}
