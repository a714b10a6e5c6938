package deprov

import (
	"encoding/json"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"
)

// report says requests a second, and what part that is of the yardstick, which bench.sh has just measured in C++.
func report(b *testing.B, began time.Time, yardstick string) {
	b.StopTimer()
	perSecond := float64(b.N) / time.Since(began).Seconds()
	b.ReportMetric(perSecond, "requests/s")
	if native, err := strconv.ParseFloat(os.Getenv(yardstick), 64); err == nil && native > 0 {
		b.ReportMetric(perSecond/native, "of_C++")
	}
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
	b.ReportAllocs()
	b.ResetTimer()
	began := time.Now()
	for i := 0; i < b.N; i++ {
		if got, err := w.engine.Do(w.ctx, request); err != nil || got.Status != 200 {
			b.Fatal(err)
		}
	}
	report(b, began, "DEPROV_BENCH_NATIVE_ONE")
}

// 64 goroutines at once.
func BenchmarkGetMany(b *testing.B) {
	w, request := oneUser(b)
	b.SetParallelism((64 + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
	b.ReportAllocs()
	b.ResetTimer()
	began := time.Now()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if got, err := w.engine.Do(w.ctx, request); err != nil || got.Status != 200 {
				b.Error(err)
				return
			}
		}
	})
	report(b, began, "DEPROV_BENCH_NATIVE_MANY")
}
