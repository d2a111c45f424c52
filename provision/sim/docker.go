package sim

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"time"
)

func (f Facts) clock() int64 {
	if f.Clock != 0 {
		return f.Clock
	}
	return time.Now().Unix()
}

// Engine is a small fake of the Docker API: for each path without its version,
// what it answers to a GET, as JSON.
type Engine struct {
	Answers map[string][]byte
}

// NewEngine marshals the answers, by path: "/info", "/images/json", ….
func NewEngine(answers map[string]any) (*Engine, error) {
	e := &Engine{Answers: map[string][]byte{}}
	for path, v := range answers {
		text, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		e.Answers[path] = text
	}
	return e, nil
}

var versioned = regexp.MustCompile(`^/v1\.[0-9]+`)

// serve answers requests until the client hangs up.
func (e *Engine) serve(c Call) {
	for in := bufio.NewReader(c.Stdin); ; {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		io.Copy(io.Discard, r.Body)
		if _, err := io.WriteString(c, e.response(r)); err != nil {
			return
		}
	}
}

func (e *Engine) response(r *http.Request) string {
	path := versioned.ReplaceAllString(r.URL.Path, "")
	status, body := "404 Not Found", []byte(`{"message":"page not found"}`)
	if answer, ok := e.Answers[path]; ok {
		status, body = "200 OK", answer
	} else if path == "/_ping" {
		status, body = "200 OK", []byte("OK")
	}
	head := fmt.Sprintf("HTTP/1.1 %s\r\nApi-Version: 1.47\r\nOstype: linux\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", status, len(body))
	if r.Method == http.MethodHead {
		return head
	}
	return head + string(body)
}
