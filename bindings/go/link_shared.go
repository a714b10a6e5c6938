//go:build !deprov_static

package deprov

// #cgo pkg-config: deprov_c
import "C"
