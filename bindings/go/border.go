//go:build !deprov_gc

package deprov

// atBorder stands before each call into the library and at the begin of each callback out of it.
func atBorder() {}
