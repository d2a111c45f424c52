package provision

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/rmqprov/rmqprov/provision/plan"
)

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
			perHost := float64(b.N * n)
			b.ReportMetric(perHost/b.Elapsed().Seconds(), "hosts/s")
			b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/perHost, "cpu-µs/host")
			b.ReportMetric(float64(peakMemory())/(1<<20), "peak-MB")
			runtime.GC()
		})
	}
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
