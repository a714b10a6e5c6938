package deprov

import (
	"encoding/json"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// watch measures requests a second, and what one of them costs the processor; bench/bindings.py compares that with C++.
type watch struct {
	began time.Time
	used  time.Duration
}

func used() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func begin(b *testing.B) watch {
	b.ReportAllocs()
	b.ResetTimer()
	return watch{time.Now(), used()}
}

func (w watch) report(b *testing.B) {
	b.StopTimer()
	b.ReportMetric(float64(b.N)/time.Since(w.began).Seconds(), "requests/s")
	b.ReportMetric(float64(used()-w.used)/1e3/float64(b.N), "cpu-us/request")
}

// oneUser is a world with the user that bench/capi_bench.cpp has, and the request that reads it.
func oneUser(b *testing.B) (*world, *Request) {
	w := inMemory(b)
	made := w.scim("POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"externalId":"00u1",`+
		`"userName":"someone@example.com","active":true,"name":{"givenName":"Some","familyName":"One"},`+
		`"emails":[{"value":"someone@example.com","type":"work","primary":true}]}`)
	var user struct{ ID string }
	if err := json.Unmarshal(made.Body, &user); err != nil || made.Status != 201 {
		b.Fatal(err, made.Status)
	}
	request := w.request("GET", "/Users/"+user.ID, "")
	request.Header.Del("Content-Type")
	return w, request
}

// One after the other.
func BenchmarkGetOne(b *testing.B) {
	w, request := oneUser(b)
	measured := begin(b)
	for i := 0; i < b.N; i++ {
		if got, err := w.engine.Do(w.ctx, request); err != nil || got.Status != 200 {
			b.Fatal(err)
		}
	}
	measured.report(b)
}

// 64 goroutines at once.
func BenchmarkGetMany(b *testing.B) {
	w, request := oneUser(b)
	b.SetParallelism((64 + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
	measured := begin(b)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if got, err := w.engine.Do(w.ctx, request); err != nil || got.Status != 200 {
				b.Error(err)
				return
			}
		}
	})
	measured.report(b)
}
