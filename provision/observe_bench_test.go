package provision

import (
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rmqprov/rmqprov/provision/plan"
	"github.com/rmqprov/rmqprov/provision/state"
)

// maxPeak bounds what the client may take for a thousand hosts, in bytes of
// its largest resident size.
const maxPeak = 150 << 20

// BenchmarkObserve connects to simulated hosts, observes and plans. The hosts
// run in another process: allocations, CPU and memory are the client's alone,
// and the time is that of both sides on the same processors.
func BenchmarkObserve(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			inv := distantFleet(b, n)
			want := wanted(inv)
			b.ReportAllocs()
			cpu := cpuTime()
			for b.Loop() {
				s, err := Open(inv, Options{})
				if err != nil {
					b.Fatal(err)
				}
				observeAndPlan(b, s, want)
				s.Close()
			}
			b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/float64(b.N*n), "cpu-µs/host")
			b.ReportMetric(float64(peakMemory())/(1<<20), "peak-MB")
			if peak := peakMemory(); peak > maxPeak {
				b.Errorf("%d MB at the most, and %d are allowed", peak>>20, maxPeak>>20)
			}
		})
	}
}

// BenchmarkParts says which part of an observation takes what of the client's
// CPU and allocations, a thousand hosts together: the SSH connections, the
// questions and answers on them, and the plan.
func BenchmarkParts(b *testing.B) {
	inv := distantFleet(b, 1000)
	want := wanted(inv)
	parts := map[string]*part{"connect": {}, "ask": {}, "plan": {}}
	for b.Loop() {
		s, err := Open(inv, Options{})
		if err != nil {
			b.Fatal(err)
		}
		parts["connect"].measure(func() { connectAll(b, s) })
		var got state.Snapshot
		parts["ask"].measure(func() {
			if got, err = s.Observe(b.Context(), want); err != nil {
				b.Fatal(err)
			}
		})
		parts["plan"].measure(func() {
			if _, err := plan.Make(want, got); err != nil {
				b.Fatal(err)
			}
		})
		s.Close()
	}
	for name, p := range parts {
		b.ReportMetric(float64(p.cpu.Milliseconds())/float64(b.N), name+"-cpu-ms")
		b.ReportMetric(float64(p.bytes>>20)/float64(b.N), name+"-MB")
		b.ReportMetric(float64(p.count)/float64(b.N), name+"-allocs")
	}
}

// part is what one part of the work has taken so far.
type part struct {
	cpu          time.Duration
	bytes, count uint64
}

func (p *part) measure(do func()) {
	cpu := cpuTime()
	bytes, count := allocated(do)
	p.cpu += cpuTime() - cpu
	p.bytes += bytes
	p.count += count
}

func connectAll(b *testing.B, s *Session) {
	var all sync.WaitGroup
	for _, m := range s.hosts {
		all.Go(func() {
			if err := m.ssh.Connect(b.Context()); err != nil {
				b.Error(err)
			}
		})
	}
	all.Wait()
}

// BenchmarkPlan is the planner alone.
func BenchmarkPlan(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			want, got := seen(n)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := plan.Make(want, got); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func usage() syscall.Rusage {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return u
}

// cpuTime is what the process has used, in user mode and in the system.
func cpuTime() time.Duration {
	u := usage()
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakMemory is the process's largest resident size, in bytes.
func peakMemory() int64 { return usage().Maxrss << 10 }
