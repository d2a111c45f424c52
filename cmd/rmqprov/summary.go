package main

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/playbooks"
	"github.com/rmqprov/rmqprov/provision/plan"
)

// summary is what an apply leaves its user with.
type summary struct {
	want        plan.Want
	file        string
	where       whereabouts
	connections map[string]int
	result      result
	took        time.Duration
}

// write prints the summary. Where the run did not come to its end, it leaves
// out the addresses: nobody knows what answers there.
func (s summary) write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	if len(s.result.Outcomes) > 0 {
		fmt.Fprintf(t, "\n%s.\n", s.result.String())
		s.writeParts(t)
	}
	if len(s.result.Failed())+len(s.result.Skipped()) == 0 {
		s.writeEndpoints(t)
		s.writeConsoles(t)
	}
	fmt.Fprintf(t, "\n%s, %s, %s in all.\n", count(len(s.want.Inventory.Hosts), "host", "hosts"), s.connected(), seconds(s.took))
	return t.Flush()
}

func (s summary) writeParts(w io.Writer) {
	if len(s.result.parts) == 0 {
		return
	}
	fmt.Fprint(w, "\nTook\n")
	for _, p := range s.result.parts {
		fmt.Fprintf(w, "  %s\t%s\tfrom %s to %s\n", p.name, seconds(p.to-p.from), seconds(p.from), seconds(p.to))
	}
}

func (s summary) writeEndpoints(w io.Writer) {
	head := "\nEndpoints\n"
	for _, stack := range s.want.Stacks {
		for _, port := range stack.Ports {
			if port.From != "clients" {
				continue
			}
			fmt.Fprint(w, head)
			head = ""
			fmt.Fprintf(w, "  %s/%s\t%s\t%s\n", stack.Name, port.Name, strings.Join(s.addresses(port.Number), " "), port.Note)
		}
	}
}

// addresses lists a port on every host that has it.
func (s summary) addresses(port int) []string {
	var all []string
	for _, h := range s.where.hosts(s.want.Inventory, port) {
		all = append(all, address(h, port))
	}
	return all
}

func address(h inventory.Host, port int) string {
	return net.JoinHostPort(h.Address, strconv.Itoa(port))
}

func (s summary) writeConsoles(w io.Writer) {
	head := "\nConsoles\n"
	for _, stack := range s.want.Stacks {
		for _, c := range stack.Consoles {
			fmt.Fprint(w, head)
			head = ""
			for i, h := range s.where.hosts(s.want.Inventory, c.Port) {
				name, login := "", ""
				if i == 0 {
					name, login = stack.Name+"/"+c.Name, "\t"+access(s.file, stack, c)
				}
				fmt.Fprintf(w, "  %s\t%s%s\n", name, consoleURL(h, c), strings.TrimSuffix(login, "\t"))
			}
		}
	}
}

func consoleURL(h inventory.Host, c playbooks.Console) string {
	return "http://" + address(h, c.Port) + "/" + strings.TrimPrefix(c.Path, "/")
}

// access says as whom to log in, and how to see the password.
func access(file string, stack playbooks.Stack, c playbooks.Console) string {
	var parts []string
	if c.User != "" {
		parts = append(parts, "user "+c.User)
	}
	if c.Secret != "" {
		parts = append(parts, fmt.Sprintf("password: rmqprov secret %s show %s/%s", file, stack.Name, c.Secret))
	}
	return strings.Join(parts, ", ")
}

// connected counts the SSH connections of the run.
func (s summary) connected() string {
	n := 0
	for _, c := range s.connections {
		n += c
	}
	return count(n, "SSH connection", "SSH connections")
}

// seconds writes a duration to a tenth of a second.
func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
