package main

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rmqprov/rmqprov/provision"
	"github.com/rmqprov/rmqprov/provision/plan"
)

// part is a stretch of a run that a user has a name for. Parts overlap.
type part struct {
	name     string
	from, to time.Duration // since the run began
}

// stopwatch takes the time of each part from the events of its steps.
type stopwatch struct {
	mu     sync.Mutex
	partOf map[plan.ID]string
	began  time.Time
	spans  []part // in the order in which they began
}

func newStopwatch(p *plan.Plan) *stopwatch {
	w := &stopwatch{partOf: map[plan.ID]string{}, began: time.Now()}
	for _, s := range p.Steps {
		w.partOf[s.ID] = partOf(s)
	}
	return w
}

// partOf names the part that a step belongs to.
func partOf(s plan.Step) string {
	switch s.Action.(type) {
	case plan.InstallDocker, plan.StartDocker, plan.WriteDaemon:
		return "docker"
	case plan.InitSwarm, plan.JoinSwarm, plan.UpdateNode:
		return "swarm"
	case plan.PullImage:
		return "images"
	case plan.PutFiles:
		return "files"
	case plan.ChangeGroup:
		return "security group"
	case plan.CreateNetwork, plan.RemoveNetwork:
		return "networks"
	case plan.CreateConfig, plan.RemoveConfig, plan.CreateSecret, plan.RemoveSecret:
		return "configs and secrets" // long before their stack's turn comes
	}
	if rest, ok := strings.CutPrefix(string(s.ID), "stack."); ok {
		name, _, _ := strings.Cut(rest, ".")
		return "stack " + name
	}
	return "other"
}

func (w *stopwatch) event(e provision.Event) {
	name, ok := w.partOf[e.Step]
	if !ok || e.Kind != provision.Started && e.Kind != provision.Done && e.Kind != provision.Failed {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	at := e.Time.Sub(w.began)
	i := slices.IndexFunc(w.spans, func(p part) bool { return p.name == name })
	if i < 0 {
		w.spans = append(w.spans, part{name: name, from: at, to: at})
		return
	}
	w.spans[i].to = max(w.spans[i].to, at)
}

func (w *stopwatch) parts() []part {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.spans)
}
