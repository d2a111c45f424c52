package cloud

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/smithy-go"
)

// Denied says that AWS refused a call for want of a right.
type Denied struct {
	Action string // "ec2:DescribeInstances"
	Doing  string
	Err    error
}

func (e *Denied) Error() string {
	return fmt.Sprintf("%s: AWS denies %s to these credentials. Allow that action; docs/ec2.md has the policy with all that rmqprov needs", e.Doing, e.Action)
}

func (e *Denied) Unwrap() error { return e.Err }

// actionDenied finds the action in a message such as "You are not authorized to
// perform this operation. User: arn:… is not authorized to perform:
// ec2:CreateTags on resource: …": it is not always the one that was called.
var actionDenied = regexp.MustCompile(`perform: ([a-z0-9-]+:[A-Za-z]+)`)

// failure says what was being done, and what to do where AWS's answer does not.
func failure(doing string, err error) error {
	if err == nil {
		return nil
	}
	api, answered := errors.AsType[smithy.APIError](err)
	if !answered {
		return fmt.Errorf("%s: %w%s", doing, err, credentialsAdvice(err))
	}
	switch api.ErrorCode() {
	case "UnauthorizedOperation", "AccessDenied", "AccessDeniedException":
		return &Denied{Action: deniedAction(api.ErrorMessage(), err), Doing: doing, Err: err}
	case "AuthFailure", "InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken", "ExpiredTokenException", "RequestExpired":
		return fmt.Errorf("%s: AWS does not accept the credentials (%s): log in again, look at AWS_PROFILE, and at this machine's clock: %w", doing, api.ErrorCode(), err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func deniedAction(message string, err error) string {
	if m := actionDenied.FindStringSubmatch(message); m != nil {
		return m[1]
	}
	op, ok := errors.AsType[*smithy.OperationError](err)
	if !ok {
		return "an action"
	}
	service := strings.ReplaceAll(strings.ToLower(op.Service()), " ", "-")
	return service + ":" + op.Operation()
}

// credentialsAdvice helps where the chain found no credentials: the SDK has no
// type of error for that.
func credentialsAdvice(err error) string {
	if strings.Contains(err.Error(), "credentials") {
		return ". Log in (`aws sso login`), or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
	}
	return ""
}

// has says whether AWS answered with one of the codes.
func has(err error, codes ...string) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	return ok && slices.Contains(codes, api.ErrorCode())
}
