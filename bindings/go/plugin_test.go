package deprov

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// zoo is a directory with the good connector of the tests, and the worker of the build tree.
func zoo(t *testing.T) (directory, worker string) {
	build := os.Getenv("DEPROV_BUILD_DIR")
	library, err := os.ReadFile(filepath.Join(build, "tests", "plugin", "zoo", "good.so"))
	if build == "" || err != nil {
		t.Skip("no build tree with the connectors of the tests: set DEPROV_BUILD_DIR")
	}
	manifest, err := os.ReadFile(filepath.Join("..", "..", "tests", "plugin", "zoo", "zoo.json"))
	if err != nil {
		t.Fatal(err)
	}
	directory = t.TempDir()
	for name, content := range map[string][]byte{"zoo.so": library, "zoo.json": manifest} {
		if err := os.WriteFile(filepath.Join(directory, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return directory, filepath.Join(build, "bin", "deprov-connector-worker")
}

func zooWorld(t *testing.T, plugins Plugins, settings any, skipCheck bool) *world {
	return newWorld(t, Options{InMemory: true, Plugins: plugins}, Integration{Name: "Zoo", IdP: "okta", Connector: "zoo",
		Config: map[string]string{"token": "hunter2-hunter2"}, Settings: settings, SkipCheck: skipCheck})
}

func (w *world) checked() string {
	var said struct{ Outcome string }
	if err := w.engine.Admin(w.ctx, w.by(), "POST", "/integrations/"+w.wiki.ID+"/check", nil, &said); err != nil {
		w.t.Fatal(err)
	}
	return said.Outcome
}

func TestPluginsRunWhereTheOptionsSay(t *testing.T) {
	directory, worker := zoo(t)
	library, err := os.ReadFile(filepath.Join(directory, "zoo.so"))
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256(library)
	byHash := []PluginFile{{Path: filepath.Join(directory, "zoo.so"), SHA256: hex.EncodeToString(hash[:])}}
	if got := zooWorld(t, Plugins{Files: byHash}, nil, false).checked(); got != "OK" {
		t.Error("in this process:", got)
	}
	limits := WorkerLimits{MemoryBytes: 1 << 30, CPUSeconds: 30, Files: 64, Calls: 2}
	in := Plugins{Directories: []string{directory}, Worker: worker, Placement: PlacementWorker, Limits: limits}
	if got := zooWorld(t, in, nil, false).checked(); got != "OK" {
		t.Error("in a worker:", got)
	}
	in.Placement = PlacementInProcess
	if got := zooWorld(t, in, map[string]string{"placement": "worker"}, false).checked(); got != "OK" {
		t.Error("where the integration says so:", got)
	}
	in.Placement, in.Limits.MemoryBytes = PlacementWorker, 1
	if got := zooWorld(t, in, nil, true).checked(); got == "OK" {
		t.Error("a worker without memory answered")
	}
}

func TestPluginsThatMayNotBeLoaded(t *testing.T) {
	directory, worker := zoo(t)
	for _, bad := range []struct {
		plugins Plugins
		want    Status
	}{
		{Plugins{Directories: []string{"plugins"}}, ErrInvalidArgument},
		{Plugins{Files: []PluginFile{{Path: filepath.Join(directory, "zoo.so"), SHA256: hex.EncodeToString(make([]byte, 32))}}}, ErrForbidden},
		{Plugins{Directories: []string{directory}, Placement: PlacementWorker}, ErrInvalidArgument}, // without a worker
		{Plugins{Directories: []string{directory}, Worker: worker, Placement: 7}, ErrInvalidArgument},
	} {
		if _, err := Open(context.Background(), Options{InMemory: true, Plugins: bad.plugins}); !errors.Is(err, bad.want) {
			t.Errorf("%v: %v", bad.plugins, err)
		}
	}
}

func TestWhatPluginsExchangeIsTold(t *testing.T) {
	directory, _ := zoo(t)
	library, err := os.ReadFile(filepath.Join(os.Getenv("DEPROV_BUILD_DIR"), "tests", "plugin", "zoo", "keeper.so"))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := os.ReadFile(filepath.Join("..", "..", "tests", "plugin", "zoo", "keeper.json"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"zoo.so": library, "zoo.json": manifest} {
		if err := os.WriteFile(filepath.Join(directory, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + nobody.Addr().String()
	nobody.Close()
	told := make(chan []byte, 100)
	plugins := Plugins{Directories: []string{directory}, Record: func(exchange []byte) {
		select {
		case told <- exchange:
		default:
		}
	}}
	w := newWorld(t, Options{InMemory: true, Plugins: plugins}, Integration{Name: "Keeper", IdP: "okta", Connector: "keeper",
		Config: map[string]string{"token": "hunter2-hunter2", "base_url": url}, SkipCheck: true})
	w.addUser("ann@example.com")
	var line []byte
	select {
	case line = <-told:
	case <-time.After(time.Minute):
		t.Fatal("nothing was told")
	}
	var exchange struct {
		Connector, Operation string
		Failure              struct{ Kind string }
	}
	if err := json.Unmarshal(line, &exchange); err != nil || exchange.Connector != "keeper" || exchange.Operation != "find" ||
		exchange.Failure.Kind != "connect" || strings.Contains(string(line), "hunter2") {
		t.Errorf("%v: %s", err, line)
	}
}
