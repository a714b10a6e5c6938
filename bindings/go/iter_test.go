//go:build go1.23

package deprov

import (
	"errors"
	"fmt"
	"testing"
)

func TestRowsCanBeRangedOver(t *testing.T) {
	w := inMemory(t)
	for i := 0; i < 5; i++ {
		w.addUser(fmt.Sprint("user", i))
	}
	rows := w.engine.Subjects(w.ctx, w.by(), RowsOptions{Integration: w.wiki.ID, Page: 2})
	seen := 0
	for subject, err := range rows.All() {
		if err != nil || subject.UserName == "" {
			t.Fatal(subject, err)
		}
		if seen++; seen == 3 {
			break
		}
	}
	if rows.Next() {
		t.Error("rows are not closed")
	}
	rest := w.engine.Subjects(w.ctx, w.by(), RowsOptions{Integration: w.wiki.ID, Restart: rows.Restart()})
	for _, err := range rest.All() {
		if err != nil {
			t.Fatal(err)
		}
		seen++
	}
	if seen != 5 {
		t.Error(seen)
	}
	for _, err := range w.engine.Subjects(w.ctx, w.by(), RowsOptions{}).All() {
		if !errors.Is(err, ErrInvalidArgument) {
			t.Error(err)
		}
		seen++
	}
	if seen != 6 {
		t.Error("the error did not come, or came twice")
	}
}
