package main

import (
	"fmt"
	"strings"

	"github.com/rmqprov/rmqprov/provision"
	"github.com/rmqprov/rmqprov/provision/plan"
)

// shownUndone bounds the steps that a note of an earlier run names.
const shownUndone = 5

// lastNote says who changed the cluster last, where that was not the same
// person with the same inventory: two operators whose inventories disagree
// would otherwise undo each other unseen.
func lastNote(p *plan.Plan, last provision.LastApply, me string, from origin) string {
	if p.Empty() {
		return ""
	}
	line, other := lastRun(last, me, from)
	if !other || last.Verb == "destroy" {
		return line
	}
	return line + undone(p)
}

// lastRun tells of the last run in a line, "" where that is no news, and says
// whether it was of another inventory than this.
func lastRun(last provision.LastApply, me string, from origin) (line string, other bool) {
	differs := last.Inventory != "" && last.Inventory != from.fingerprint()
	switch text := lastLine(last); {
	case last.Time == "" || last.By == me && !differs:
		return "", false
	case last.Inventory == "":
		return text + ".\n", false
	case !differs:
		return text + ", from this same inventory.\n", false
	case last.By == me && last.From == from.path:
		return text + ", before this inventory was changed.\n", false
	case last.From == "":
		return text + ", from another inventory than this.\n", true
	default:
		return text + ", from another inventory than this: " + last.From + ".\n", true
	}
}

func lastLine(last provision.LastApply) string {
	verb := "Last applied"
	switch last.Verb {
	case "destroy":
		verb = "Last destroyed"
	case "replace":
		verb = "A host was let go last"
	case "restore":
		verb = "Last restored"
	case "rollback":
		verb = "A change was taken back last"
	case "reboot":
		verb = "A host was rebooted last"
	}
	text := fmt.Sprintf("%s %s by %s with rmqprov %s", verb, last.Time, last.By, last.Version)
	switch last.Outcome {
	case provision.RunBegun:
		text += " (it has not ended: it was killed, or is at work)"
	case provision.RunFailed, provision.RunInterrupted:
		text += fmt.Sprintf(" (%s)", last.Outcome)
	}
	return text
}

// undone names the steps that change or take away what stands.
func undone(p *plan.Plan) string {
	var ids []string
	for _, s := range p.Steps {
		if s.Kind == plan.Update || s.Kind == plan.Replace || s.Kind == plan.Delete {
			ids = append(ids, string(s.ID))
		}
	}
	if len(ids) == 0 {
		return ""
	}
	n := count(len(ids), "step changes or takes", "steps change or take")
	if more := len(ids) - shownUndone; more > 0 {
		ids = append(ids[:shownUndone], fmt.Sprintf("%d more", more))
	}
	return fmt.Sprintf("! This plan would undo what was made from that inventory, unless it drifted since: %s away what stands\n  (%s). Compare the two inventories before you apply this one.\n",
		n, strings.Join(ids, ", "))
}
