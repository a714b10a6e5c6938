//go:build deprov_gc

package deprov

import "runtime"

// atBorder collects garbage where it would do most harm: with arguments in hand that only C looks at.
func atBorder() { runtime.GC() }
