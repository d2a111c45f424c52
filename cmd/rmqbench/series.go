package main

import (
	"fmt"
	"slices"
	"time"
)

// series are the durations of runs of one thing, in the order in which they ran.
type series []time.Duration

// time runs something and, where it succeeds, notes how long it took.
func (s *series) time(run func() error) error {
	begin := time.Now()
	if err := run(); err != nil {
		return err
	}
	*s = append(*s, time.Since(begin))
	return nil
}

func (s series) last() time.Duration { return s[len(s)-1] }

// median is the middle one, or the mean of the middle two. A series has at least one.
func (s series) median() time.Duration {
	sorted := slices.Sorted(slices.Values(s))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// String is the median, and in brackets the least and the most.
func (s series) String() string {
	return fmt.Sprintf("%s (%s–%s)", seconds(s.median()), seconds(slices.Min(s)), seconds(slices.Max(s)))
}

// seconds is a duration as people compare it.
func seconds(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	default:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
}
