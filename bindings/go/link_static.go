//go:build deprov_static

package deprov

// The program carries all of deprov; of what deprov needs, only the libraries of the system stay outside.

// #cgo pkg-config: deprov_c_static
import "C"
