package deprov

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestOptionsThatSayNothingSensibleAreRefusedByName(t *testing.T) {
	for _, c := range []struct {
		options Options
		where   string
	}{
		{Options{}, "Options.Directory"},
		{Options{InMemory: true, Key: []byte("short")}, "options.key_bytes"},
		{Options{InMemory: true, Key: []byte{}, KeyFile: "x"}, "Options.Key"},
		{Options{InMemory: true, StoreReaders: -1}, "Options.StoreReaders"},
		{Options{InMemory: true, Connectors: []Connector{nil}}, "Options.Connectors[0]"},
	} {
		engine, err := Open(context.Background(), c.options)
		var why *Error
		if engine != nil || !errors.As(err, &why) || why.Where != c.where {
			t.Errorf("%s: %v", c.where, err)
		}
	}
}

func TestADirectoryOutlivesItsEngineAndHasOneOwner(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "data")
	if _, err := Open(context.Background(), Options{Directory: directory, MustExist: true}); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	w := newWorld(t, Options{Directory: directory}, Integration{})
	id := w.addUser("ann")
	if _, err := Open(context.Background(), Options{Directory: directory}); !errors.Is(err, ErrStoreLocked) {
		t.Fatal(err)
	}
	if err := w.engine.Close(w.ctx); err != nil {
		t.Fatal(err)
	}
	again := openIn(t, Options{Directory: directory, MustExist: true, LookOnly: true})
	var detail struct {
		Subject Subject `json:"subject"`
	}
	path := "/integrations/" + w.wiki.ID + "/subjects/" + id
	if err := again.Admin(w.ctx, w.by(), "GET", path, nil, &detail); err != nil || detail.Subject.UserName != "ann" {
		t.Fatal(err, detail)
	}
	if _, err := os.Stat(filepath.Join(directory, "master.key")); err != nil {
		t.Error(err)
	}
}

func TestAURLSaysWhichStore(t *testing.T) {
	directory := t.TempDir()
	for _, url := range []string{"file://" + directory + "/a%20b", "memory:"} {
		engine, err := Open(context.Background(), Options{URL: url})
		if err != nil {
			t.Fatal(url, err)
		}
		engine.Close(context.Background())
	}
	if _, err := os.Stat(directory + "/a b"); err != nil {
		t.Error(err)
	}
	if _, err := Open(context.Background(), Options{URL: "memory:", Directory: directory}); !errors.Is(err, ErrInvalidArgument) {
		t.Error(err)
	}
	_, err := Open(context.Background(), Options{URL: "postgresql://deprov:hunter2@db/deprov"})
	if !errors.Is(err, ErrUnsupported) || strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
}

func TestTheMasterKeyComesFromWhereverTheHostSays(t *testing.T) {
	key := []byte(strings.Repeat("\x07", 32))
	directory := t.TempDir()
	asked := 0
	first := openIn(t, Options{Directory: directory, KeyFunc: func() ([]byte, error) { asked++; return key, nil }})
	if err := first.Close(context.Background()); err != nil || asked != 1 {
		t.Fatal(err, asked)
	}
	if err := openIn(t, Options{Directory: directory, Key: key}).Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(directory, "elsewhere.key")
	if err := openIn(t, Options{Directory: directory, KeyFile: file}).Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Size() != 32 {
		t.Fatal(err)
	}

	absent := errors.New("the vault is sealed")
	_, err := Open(context.Background(), Options{InMemory: true, KeyFunc: func() ([]byte, error) { return nil, absent }})
	if !errors.Is(err, absent) || !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
	_, err = Open(context.Background(), Options{InMemory: true, KeyFunc: func() ([]byte, error) { return nil, ErrForbidden }})
	if !errors.Is(err, ErrForbidden) {
		t.Error(err)
	}
	_, err = Open(context.Background(), Options{InMemory: true, KeyFunc: func() ([]byte, error) { return key[:5], nil }})
	if !errors.Is(err, ErrInvalidArgument) || !strings.Contains(err.Error(), "5 bytes") {
		t.Error(err)
	}
}

func TestTheHostsClockDatesWhatHappensAndItsLogHearsOfOpeningAndClosing(t *testing.T) {
	var mu sync.Mutex
	var lines []string
	w := newWorld(t, Options{
		InMemory: true,
		Clock:    func() time.Time { return time.Unix(2_000_000_000, 0) },
		Log: func(level Level, message string) {
			mu.Lock()
			defer mu.Unlock()
			if level == LevelInfo {
				lines = append(lines, message)
			}
		},
	}, Integration{})
	rows := w.engine.Activity(w.ctx, w.by(), RowsOptions{})
	if !rows.Next() || rows.Value().At.UTC().Format(time.RFC3339) != "2033-05-18T03:33:20Z" {
		t.Error(rows.Value(), rows.Err())
	}
	rows.Close()
	if err := w.engine.Close(w.ctx); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if strings.Join(lines, "|") != "the engine was opened|the engine was closed" {
		t.Error(lines)
	}
}

func TestAfterClosingEverythingSaysClosed(t *testing.T) {
	w := inMemory(t)
	rows := w.engine.Subjects(w.ctx, w.by(), RowsOptions{Integration: w.wiki.ID})
	defer rows.Close()
	for i := 0; i < 2; i++ {
		if err := w.engine.Close(w.ctx); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.engine.Do(w.ctx, w.request("GET", "/Users", "")); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if rows.Next() || !errors.Is(rows.Err(), ErrClosed) {
		t.Error(rows.Err())
	}
	if _, err := w.engine.Pump(0); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	late := w.engine.Jobs(w.ctx, w.by(), RowsOptions{})
	if late.Next() || !errors.Is(late.Err(), ErrClosed) || late.Restart() != "" || late.Close() != nil {
		t.Error(late.Err())
	}
}

func TestAnEngineThatWasNeverOpenedIsAnErrorAndNoPanic(t *testing.T) {
	ctx, by := context.Background(), Caller{Workspace: "00000000-0000-0000-0000-000000000000"}
	for name, e := range map[string]*Engine{"nil": nil, "zero": {}} {
		_, do := e.Do(ctx, &Request{Method: "GET", Target: "/healthz"})
		_, pump := e.Pump(0)
		rows := e.Jobs(ctx, by, RowsOptions{})
		if rows.Next() || rows.Close() != nil {
			t.Error(name)
		}
		_, list := e.BeginList(ctx, by, by.Workspace, by.Workspace, ListOptions{})
		_, made := e.CreateWorkspace(ctx, "acme", "owner")
		_, sources := e.Sources(ctx, by, by.Workspace)
		all := map[string]error{"Do": do, "Pump": pump, "Jobs": rows.Err(), "BeginList": list, "CreateWorkspace": made,
			"Sources": sources, "Close": e.Close(ctx), "Evidence": e.Evidence(ctx, by, nil, io.Discard)}
		for what, err := range all {
			if !errors.Is(err, ErrClosed) || !strings.Contains(err.Error(), "never opened") {
				t.Error(name, what, err)
			}
		}
		answered := httptest.NewRecorder()
		e.Handler().ServeHTTP(answered, httptest.NewRequest("GET", "/scim/v2/Users", nil))
		if answered.Code != http.StatusServiceUnavailable {
			t.Error(name, answered.Code)
		}
	}
	engine := openIn(t, Options{InMemory: true})
	if _, err := engine.Do(ctx, nil); !errors.Is(err, ErrInvalidArgument) {
		t.Error(err)
	}
}

func TestClosingWhileManyAskEndsEachOfThem(t *testing.T) {
	w := inMemory(t)
	const askers = 8
	var begun, done sync.WaitGroup
	begun.Add(askers)
	for i := 0; i < askers; i++ {
		done.Add(1)
		go func() {
			defer done.Done()
			for n := 0; ; n++ {
				if _, err := w.engine.Do(w.ctx, w.request("GET", "/Users", "")); err != nil {
					if !errors.Is(err, ErrClosed) {
						t.Error(err)
					}
					if n == 0 {
						begun.Done()
					}
					return
				}
				if n == 0 {
					begun.Done()
				}
			}
		}()
	}
	begun.Wait()
	if err := w.engine.Close(w.ctx); err != nil {
		t.Error(err)
	}
	done.Wait()
}

func TestAContextThatHasEndedOpensAndAsksNothing(t *testing.T) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Open(ended, Options{InMemory: true}); !errors.Is(err, context.Canceled) || !errors.Is(err, ErrCancelled) {
		t.Error(err)
	}
	w := inMemory(t)
	if _, err := w.engine.Do(ended, w.request("GET", "/Users", "")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	rows := w.engine.Subjects(ended, w.by(), RowsOptions{Integration: w.wiki.ID})
	defer rows.Close()
	if rows.Next() || !errors.Is(rows.Err(), context.Canceled) {
		t.Error(rows.Err())
	}
	if err := w.engine.Close(ended); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := w.engine.Close(w.ctx); err != nil { // it was closed behind that
		t.Error(err)
	}
}

func TestPumpedByTheHost(t *testing.T) {
	engine := openIn(t, Options{InMemory: true, HostDriven: true})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := engine.CreateWorkspace(ctx, "acme", "")
		done <- err
	}()
	for {
		wait, err := engine.Pump(time.Millisecond)
		if err != nil || wait < 0 {
			t.Fatal(wait, err)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			return
		default:
		}
	}
}

func TestOnlyWhoPumpsMayPump(t *testing.T) {
	if _, err := inMemory(t).engine.Pump(0); !errors.Is(err, ErrUnsupported) {
		t.Error(err)
	}
}

func TestTheLibrarySaysWhatItIs(t *testing.T) {
	if strings.Count(Version(), ".") != 2 || !HasFeature("connector.host") || HasFeature("teleportation") {
		t.Error(Version())
	}
}

// entries counts what a folder of /proc has.
func entries(t *testing.T, where string, of func(name string) bool) int64 {
	t.Helper()
	list, err := os.ReadDir(where)
	if err != nil {
		t.Fatal(err)
	}
	n := int64(0)
	for _, entry := range list {
		if of == nil || of(filepath.Join(where, entry.Name())) {
			n++
		}
	}
	return n
}

const alone = "DEPROV_TEST_ALONE"

func TestManyEnginesLeaveNothingBehind(t *testing.T) {
	if os.Getenv(alone) == "" {
		// In a process of its own: a thread that Go starts beneath a callback gets the name of deprov's.
		again := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.short="+strconv.FormatBool(testing.Short()))
		again.Env = append(os.Environ(), alone+"=1")
		if said, err := again.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, said)
		}
		return
	}
	ours, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	theirs := func(task string) bool {
		name, err := os.ReadFile(filepath.Join(task, "comm"))
		return err == nil && !bytes.Equal(name, ours)
	}
	cycle := func(options Options) {
		w := newWorld(t, options, Integration{})
		if w.addUser("ann"); entries(t, "/proc/self/task", theirs) == 0 {
			t.Fatal("where are the engine's threads?")
		}
		if err := w.engine.Close(w.ctx); err != nil {
			t.Fatal(err)
		}
	}
	cycle(Options{Directory: t.TempDir()})
	descriptors := entries(t, "/proc/self/fd", nil)
	count := 100
	if testing.Short() {
		count = 10
	}
	for i := 0; i < count; i++ {
		cycle(Options{InMemory: true})
	}
	cycle(Options{Directory: t.TempDir()})
	if !comesTo(0, func() int64 { return entries(t, "/proc/self/task", theirs) }) {
		t.Error("threads of deprov are left")
	}
	if !comesTo(descriptors, func() int64 { return entries(t, "/proc/self/fd", nil) }) {
		t.Errorf("%d descriptors before, %d after", descriptors, entries(t, "/proc/self/fd", nil))
	}
}
