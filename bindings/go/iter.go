//go:build go1.23

package deprov

import "iter"

// All reads the rows to their end, and closes them; an error comes last, with the zero value.
//
//	for job, err := range engine.Jobs(ctx, by, deprov.RowsOptions{}).All() { … }
func (r *Rows[T]) All() iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		defer r.Close()
		for r.Next() {
			if !yield(r.Value(), nil) {
				return
			}
		}
		if r.err != nil {
			var none T
			yield(none, r.err)
		}
	}
}
