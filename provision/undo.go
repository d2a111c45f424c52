package provision

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rmqprov/rmqprov/provision/plan"
)

// takeBackWithin bounds the taking back of what a run that ends has prepared;
// brokenOffWithin that of one that a second interrupt has broken off.
const (
	takeBackWithin  = 2 * time.Minute
	brokenOffWithin = 4 * time.Second
)

// takeBack undoes what was done to get something ready for a stop that then did
// not come about, such as a member without clients: a run that fails or is
// interrupted leaves nobody so. It goes on where the run's context has ended. A
// run that is killed cannot do it; the next one's gates do.
func (s *Session) takeBack(ctx context.Context, report Report, emit func(Event)) {
	bound := takeBackWithin
	if ctx.Err() != nil {
		bound = brokenOffWithin
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), bound)
	defer cancel()
	for _, o := range report.Outcomes {
		a, ok := o.Step.Action.(plan.RunCommand)
		if !ok || a.Undo == nil || o.Kind == Skipped || served(report, o.Step.ID) {
			continue
		}
		tell := func(text string) {
			emit(Event{Time: time.Now(), Kind: Output, Step: o.Step.ID, Host: o.Step.Host, Message: text})
		}
		switch err := s.tryCommand(ctx, a, a.Undo); {
		case err != nil && stopBegan(report, o.Step.ID): // it may not run at all, and a start takes it back as well
		case err != nil:
			tell(fmt.Sprintf("taking it back did not work: %v; the next apply tries again", err))
		default:
			tell("taken back: what it was for is not done")
		}
	}
}

// served says that what a step got ready has then been stopped.
func served(report Report, id plan.ID) bool { return stopEnded(report, id, Done) }

// stopBegan says that the stop which a step got ready for was begun and failed.
func stopBegan(report Report, id plan.ID) bool { return stopEnded(report, id, Failed) }

func stopEnded(report Report, id plan.ID, kind EventKind) bool {
	return slices.ContainsFunc(report.Outcomes, func(o Outcome) bool {
		return o.Kind == kind && o.Step.Disrupts != "" && slices.Contains(o.Step.After, id)
	})
}
