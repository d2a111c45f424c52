package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rmqprov/rmqprov/playbooks"
)

// checkVersions holds changes of images against what the playbooks say of
// versions: what a system's manual forbids is refused, with the way that it
// allows. What cannot be told from an image's tag is noted.
func (b *builder) checkVersions() {
	for _, s := range b.want.Stacks {
		said := map[string]bool{}
		for _, svc := range s.Services {
			seen, exists := b.service(svc.Name)
			if !exists || s.Versions.Paths == nil {
				continue
			}
			from := likeWanted(seen.Spec, image(svc)).TaskTemplate.ContainerSpec.Image
			if to := image(svc); from != to && nameOf(from) == nameOf(to) && !said[from+to] {
				said[from+to] = true
				b.checkVersion(s, svc.Name, from, to)
			}
		}
	}
}

func (b *builder) checkVersion(s playbooks.Stack, service, from, to string) {
	was, will := versionOf(from), versionOf(to)
	r := rules{s.Versions}
	if len(was) < r.Series || len(will) < r.Series {
		b.note(fmt.Sprintf("stack %s: the version of %s or of %s does not show in its tag, so nothing is known of the way between them; its manual tells", s.Name, from, to))
		return
	}
	reason, fix := r.judge(was, will)
	switch {
	case reason == "" && fix == "":
	case reason == "":
		b.note("stack " + s.Name + ": " + fix)
	default:
		b.refuse("", fmt.Sprintf("stack %q: %s runs %s, and %s is wanted: %s", s.Name, service, text(was), text(will), reason), fix)
	}
}

func (b *builder) note(text string) { b.notes = append(b.notes, text) }

// versionOf is the version in an image's tag; none where it has no tag, or one
// such as latest. A digest tells nothing.
func versionOf(ref string) []int {
	_, tag := nameAndTag(ref)
	return playbooks.ParseVersion(tag)
}

// nameOf is what an image is of, wherever it comes from. The versions of two
// systems have nothing to say to each other.
func nameOf(ref string) string {
	name, _ := nameAndTag(ref)
	return name
}

func nameAndTag(ref string) (name, tag string) {
	ref, _, _ = strings.Cut(ref, "@")
	name, tag, _ = strings.Cut(ref[strings.LastIndex(ref, "/")+1:], ":")
	return name, tag
}

func text(version []int) string {
	var parts []string
	for _, n := range version {
		parts = append(parts, strconv.Itoa(n))
	}
	return strings.Join(parts, ".")
}

// rules are a playbook's versions, to be searched.
type rules struct{ playbooks.Versions }

func (w rules) series(v []int) string { return text(v[:w.Series]) }

// judge says why one version must not become another, and what to do instead;
// without a reason, the second is a note.
func (w rules) judge(from, to []int) (reason, fix string) {
	was, will := w.series(from), w.series(to)
	short := min(len(from), len(to))
	switch order := slices.Compare(from[:short], to[:short]); {
	case order > 0:
		return "that is a downgrade, which may not read the data that is there",
			"keep " + text(from) + "; where a change to it has not come to its end, `rmqprov apply --rollback` goes back to what stood before it"
	case was == will:
		return "", ""
	}
	path, newest := w.path(from, will)
	switch {
	case len(path) == 1:
		return "", ""
	case path != nil:
		return "that is too far at once", "change the image to each of these in turn, and apply: " + strings.Join(path, ", then ")
	case newest == nil:
		return "", fmt.Sprintf("the playbook does not know how to go from %s to %s; the system's manual tells", was, will)
	}
	return "the playbook knows no way there", "it knows the way to " + strings.Join(newest, ", then ")
}

// path is the shortest way from a version to a series, and the longest that
// leads anywhere from it; nil where there is none.
func (w rules) path(from []int, to string) (path, newest []string) {
	start := w.series(from)
	came := map[string][]string{start: {}}
	for queue := []string{start}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		for _, key := range sortedKeys(w.Paths) {
			since := playbooks.ParseVersion(key)
			if w.series(pad(since, w.Series)) != at {
				continue
			}
			steps := slices.Clone(came[at])
			if at == start && len(from) >= len(since) && slices.Compare(from, since) < 0 {
				steps = append(steps, key+" or later")
			}
			for _, next := range w.Paths[key] {
				if came[next] != nil {
					continue
				}
				came[next] = append(slices.Clone(steps), next)
				newest = came[next]
				queue = append(queue, next)
			}
		}
	}
	if to == start {
		return nil, newest
	}
	return came[to], newest
}

// pad makes a version as long as a series, so that a short one is none.
func pad(v []int, n int) []int {
	for len(v) < n {
		v = append(v, -1)
	}
	return v
}

// upgrades says that an image changes with a change.
func upgrades(changes []change) bool {
	return slices.ContainsFunc(changes, func(c change) bool {
		return slices.ContainsFunc(c.fields, func(f Change) bool { return strings.HasSuffix(f.Path, "ContainerSpec.Image") })
	})
}
