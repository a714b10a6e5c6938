// Package deprov embeds deprov, which notices that a person lost access in the identity provider, and makes sure that
// every connected external app knows it: fast, exactly as decided, provably, and never by accident.
//
// It is a binding of the C library, whose header deprov.h is the manual of what is behind it. Open gives an Engine;
// Engine.Handler mounts the SCIM and admin endpoints in a server of yours, Engine.Do carries single requests out,
// Engine.Admin manages. Engine.Subjects, Jobs, Holds and Activity read records one after the other. A Connector of
// yours goes into Options.Connectors.
//
// # Waiting
//
// Whatever waits takes a context, and comes back when that ends. No thread stands still for it: one goroutine takes what
// has ended from the engine's completion queue, with the runtime's poller.
//
// # Errors
//
// Errors are of type *Error. errors.Is compares them with a Status, such as ErrNotFound, and with the context's errors
// where one of those ended the call; errors.As gets at what is wrong, where, and what to do about it.
//
// # Memory
//
// What goes in is copied, what comes out is Go's own. An Engine is closed by Close. Rows and Streams are closed, too, or
// read to their end; those that were forgotten are let go of when they are collected.
package deprov
