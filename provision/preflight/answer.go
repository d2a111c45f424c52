package preflight

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// heard is what a host's listener says.
type heard struct {
	listened map[string]bool                       // by port, as "7946/udp"
	taken    map[string]string                     // by port: the program that has it, "" where that is not known
	arrived  map[string]map[string]map[string]bool // by port, sender and kind of datagram: "small" or "whole"
	sessions int                                   // sshd's MaxSessions; 0: not known
	vpc      []netip.Prefix                        // ranges of the host's VPC
	startups int                                   // connections that may be logging in before sshd's MaxStartups drops some; 0: not known
}

// knocked is what a host says of its knocks at another.
type knocked struct {
	tcp  map[string]string // by port: "open", "silent", or "refused" and what the kernel said
	link int               // the most that the path carries as far as the host knows, in bytes; 0: not known
}

func readHeard(answer string) (heard, error) {
	h := heard{listened: map[string]bool{}, taken: map[string]string{}, arrived: map[string]map[string]map[string]bool{}}
	lines, err := framed(answer)
	for _, w := range lines {
		switch {
		case w[0] == "listened" && len(w) == 2:
			h.listened[w[1]] = true
		case w[0] == "taken" && len(w) >= 2:
			h.taken[w[1]] = strings.Join(w[2:], " ")
		case w[0] == "arrived" && len(w) == 4:
			h.arrive(w[1], w[2], w[3])
		case w[0] == "vpc" && len(w) == 2:
			prefix, bad := netip.ParsePrefix(w[1])
			h.vpc, err = append(h.vpc, prefix), errors.Join(err, bad)
		case w[0] == "sshd" && len(w) == 3:
			err = errors.Join(err, h.sshd(w[1], w[2]))
		default:
			err = errors.Join(err, fmt.Errorf("a line of no known form: %q", strings.Join(w, " ")))
		}
	}
	return h, err
}

func (h heard) arrive(port, from, kind string) {
	if h.arrived[port] == nil {
		h.arrived[port] = map[string]map[string]bool{}
	}
	if h.arrived[port][from] == nil {
		h.arrived[port][from] = map[string]bool{}
	}
	h.arrived[port][from][kind] = true
}

func (h *heard) sshd(key, value string) (err error) {
	switch key {
	case "maxsessions":
		h.sessions, err = strconv.Atoi(value)
	case "maxstartups": // start:rate:full
		start, _, _ := strings.Cut(value, ":")
		h.startups, err = strconv.Atoi(start)
	}
	return err
}

func readKnocked(answer string) (knocked, error) {
	k := knocked{tcp: map[string]string{}}
	lines, err := framed(answer)
	for _, w := range lines {
		switch {
		case (w[0] == "open" || w[0] == "silent" || w[0] == "refused") && len(w) >= 2:
			k.tcp[w[1]] = strings.TrimSpace(w[0] + " " + strings.Join(w[2:], " "))
		case w[0] == "link" && len(w) == 2:
			mtu, bad := strconv.Atoi(w[1])
			err = errors.Join(err, bad)
			if k.link == 0 || mtu < k.link {
				k.link = mtu
			}
		default:
			err = errors.Join(err, fmt.Errorf("a line of no known form: %q", strings.Join(w, " ")))
		}
	}
	return k, err
}

// framed returns the words of each line between the marks of an answer. One
// that was cut off is an error: what is missing must not look like silence.
func framed(answer string) ([][]string, error) {
	_, rest, begun := strings.Cut(answer, "rmqprov-preflight-begin\n")
	body, _, ended := strings.Cut(rest, "rmqprov-preflight-end")
	if !begun || !ended {
		return nil, fmt.Errorf("the answer is not whole: %q", answer[max(0, len(answer)-200):])
	}
	var lines [][]string
	for line := range strings.Lines(body) {
		if w := strings.Fields(line); len(w) > 0 {
			lines = append(lines, w)
		}
	}
	return lines, nil
}
