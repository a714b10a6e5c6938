package deprov

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"runtime/cgo"
	"sync/atomic"
	"time"
	"unsafe"
)

// Level is how much a line of the log matters.
type Level int32

const (
	LevelInfo    Level = C.DEPROV_LOG_INFO
	LevelWarning Level = C.DEPROV_LOG_WARNING
	LevelError   Level = C.DEPROV_LOG_ERROR
)

// Options say how an engine is opened. The zero value needs a Directory, or InMemory.
type Options struct {
	// Directory holds a durable store; it is made where it is absent. One engine at a time has it.
	Directory string
	// InMemory: the store ends with the engine; for tests and trials.
	InMemory bool
	// URL in place of Directory and InMemory: "file:///DIRECTORY" or "memory:".
	URL string
	// MustExist: a directory without a store is ErrNotFound instead of getting one.
	MustExist bool
	// LookOnly: jobs are left alone; for looking and managing only.
	LookOnly bool

	// The master key seals the secrets of connections. At most one of these; without any it is `master.key` in the
	// directory, made when absent, or a key of chance in memory.
	KeyFile string                 // 32 bytes, made when absent and the store is new
	Key     []byte                 // 32 bytes
	KeyFunc func() ([]byte, error) // asked once, by Open

	// Clock is the wall clock; nil: the machine's. Called from any thread, often; it must not call deprov.
	Clock func() time.Time
	// Log hears of opening and closing and of faults in callbacks; never of people or secrets. Called from any thread.
	Log func(level Level, message string)

	// HostDriven: no thread of deprov runs, but one for HTTP once a connector that came with deprov sends something.
	// Whoever opened the engine calls Pump; without it nothing that waits comes back, but Open and Close.
	HostDriven bool
	// StoreReaders is the number of threads that read a store in a directory; 0: two.
	StoreReaders int
	// Connectors of the host, besides those that come with deprov.
	Connectors []Connector
	// Plugins are connectors in files of their own; none is loaded unless this says so.
	Plugins Plugins
}

// Placement is where the connectors of plugins run.
type Placement int32

const (
	PlacementInProcess Placement = C.DEPROV_PLACEMENT_IN_PROCESS
	PlacementWorker    Placement = C.DEPROV_PLACEMENT_WORKER // in a process of its own, for each connection
)

// Plugins say which files with connectors may be loaded, and where they run. Paths are absolute; the files and all
// directories above them are writable by nobody but root and this user.
type Plugins struct {
	Directories []string     // every plugin in them
	Files       []PluginFile // single ones
	// Worker is the program deprov-connector-worker, which is installed with deprov (libexec/deprov). Integrations with the
	// setting `placement` "worker" need it.
	Worker    string
	Placement Placement // of integrations whose settings do not say
	Limits    WorkerLimits
	// Record is told of each HTTP exchange of theirs, a JSON object (schemas/connector-recording.schema.json) without
	// credentials, but with what else bodies say of people. On the engine's thread, which waits meanwhile; it must not
	// call deprov.
	Record func(exchange []byte)
}

// PluginFile is a plugin that is loaded, if it has these bytes.
type PluginFile struct {
	Path   string
	SHA256 string // 64 hexadecimal digits
}

// WorkerLimits are what the kernel ends a worker for, or refuses to it; 0 is the usual bound.
type WorkerLimits struct {
	MemoryBytes uint64 // of address space; 4 GiB
	CPUSeconds  uint32 // without a new call in between; 60
	Files       uint32 // open descriptors; 256
	Calls       uint32 // in flight at once, the others wait in this process; 64
}

func (o *Options) check() error {
	keys := 0
	for _, given := range []bool{o.KeyFile != "", o.Key != nil, o.KeyFunc != nil} {
		if given {
			keys++
		}
	}
	if keys > 1 {
		return &Error{Status: ErrInvalidArgument, Detail: "more than one master key is given", Where: "Options.Key",
			Advice: "give one of KeyFile, Key and KeyFunc"}
	}
	if o.Directory == "" && !o.InMemory && o.URL == "" {
		return &Error{Status: ErrInvalidArgument, Detail: "is not given", Where: "Options.Directory",
			Advice: "name one, or set InMemory"}
	}
	if o.StoreReaders < 0 {
		return &Error{Status: ErrInvalidArgument, Detail: "is negative", Where: "Options.StoreReaders"}
	}
	for i, c := range o.Connectors {
		if c == nil {
			return &Error{Status: ErrInvalidArgument, Detail: "is nil", Where: "Options.Connectors[" + itoa(i) + "]"}
		}
	}
	return nil
}

// keySource keeps what KeyFunc said, since only a status crosses the border.
type keySource struct {
	ask func() ([]byte, error)
	err error
}

// handles counts what C holds of ours; tests look whether all of it came back, each once.
var handles atomic.Int64

// newHandle makes a number of a Go value that C may keep. deprovGoFree, or release, ends it; twice panics.
func newHandle(v any) C.uintptr_t {
	handles.Add(1)
	return C.uintptr_t(cgo.NewHandle(v))
}

func release(h C.uintptr_t) {
	cgo.Handle(h).Delete()
	handles.Add(-1)
}

func valueOf(h C.uintptr_t) any { return cgo.Handle(h).Value() }

// open carries out Open. It waits.
func (o *Options) open() (*C.deprov_engine, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	connectors, err := o.connectors()
	defer func() {
		for _, c := range connectors {
			C.deprov_connector_free(c)
		}
	}()
	if err != nil {
		return nil, err
	}

	// In C's memory, since it points at more of it.
	c := (*C.deprov_engine_options)(C.calloc(1, C.sizeof_deprov_engine_options))
	defer C.free(unsafe.Pointer(c))
	c.directory, c.key_file, c.key_bytes = cBytes(o.Directory), cBytes(o.KeyFile), cBytes(string(o.Key))
	c.store_url = cBytes(o.URL)
	defer freeStr(c.store_url)
	defer freeStr(c.directory)
	defer freeStr(c.key_file)
	defer freeStr(c.key_bytes)
	if o.InMemory {
		c.store = C.DEPROV_STORE_MEMORY
	}
	c.must_exist, c.look_only, c.host_driven = cBool(o.MustExist), cBool(o.LookOnly), cBool(o.HostDriven)
	c.store_readers = C.uint32_t(o.StoreReaders)

	defer o.Plugins.fill(c)()

	var hooks C.deprov_go_hooks
	source := &keySource{ask: o.KeyFunc}
	switch {
	case o.KeyFunc != nil:
		c.key_source = C.DEPROV_KEY_CALLBACK
		hooks.key = newHandle(source)
	case o.Key != nil:
		c.key_source = C.DEPROV_KEY_BYTES
	case o.KeyFile != "":
		c.key_source = C.DEPROV_KEY_FILE
	}
	if o.Clock != nil {
		hooks.clock = newHandle(o.Clock)
	}
	if o.Log != nil {
		hooks.log = newHandle(o.Log)
	}
	if o.Plugins.Record != nil {
		hooks.record = newHandle(o.Plugins.Record)
	}
	if len(connectors) > 0 {
		size := C.size_t(len(connectors)) * C.size_t(unsafe.Sizeof(connectors[0]))
		list := C.malloc(size)
		defer C.free(list)
		copy(unsafe.Slice((**C.deprov_connector)(list), len(connectors)), connectors)
		c.connectors = (**C.deprov_connector)(list)
		c.connector_count = C.size_t(len(connectors))
	}
	atBorder()
	opened := C.deprov_go_open(c, hooks)
	if err := takeError(opened.status, opened.error); err != nil {
		if source.err != nil {
			err.(*Error).cause = source.err
		}
		return nil, err
	}
	return opened.engine, nil
}

// fill puts them into the options; what it answers lets go of the memory behind that.
func (p *Plugins) fill(c *C.deprov_engine_options) (free func()) {
	var texts []C.deprov_str
	text := func(s string) C.deprov_str {
		t := cBytes(s)
		texts = append(texts, t)
		return t
	}
	directories := (*C.deprov_str)(C.calloc(C.size_t(len(p.Directories)+1), C.sizeof_deprov_str))
	for i, d := range p.Directories {
		unsafe.Slice(directories, len(p.Directories))[i] = text(d)
	}
	files := (*C.deprov_plugin_file)(C.calloc(C.size_t(len(p.Files)+1), C.sizeof_deprov_plugin_file))
	for i, f := range p.Files {
		file := &unsafe.Slice(files, len(p.Files))[i]
		file.path, file.sha256 = text(f.Path), text(f.SHA256)
	}
	c.plugin_directories, c.plugin_directory_count = directories, C.size_t(len(p.Directories))
	c.plugin_files, c.plugin_file_count = files, C.size_t(len(p.Files))
	c.plugin_worker, c.plugin_placement = text(p.Worker), C.int32_t(p.Placement)
	c.worker_memory_bytes, c.worker_cpu_seconds = C.uint64_t(p.Limits.MemoryBytes), C.uint32_t(p.Limits.CPUSeconds)
	c.worker_files, c.worker_calls = C.uint32_t(p.Limits.Files), C.uint32_t(p.Limits.Calls)
	return func() {
		for _, t := range texts {
			freeStr(t)
		}
		C.free(unsafe.Pointer(directories))
		C.free(unsafe.Pointer(files))
	}
}

// connectors makes handles of all of them; the caller frees them, also where one could not be made.
func (o *Options) connectors() ([]*C.deprov_connector, error) {
	var out []*C.deprov_connector
	for _, c := range o.Connectors {
		made, err := newConnector(c)
		if err != nil {
			return out, err
		}
		out = append(out, made)
	}
	return out, nil
}

func cBool(b bool) C.int32_t {
	if b {
		return 1
	}
	return 0
}
