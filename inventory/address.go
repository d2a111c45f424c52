package inventory

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strings"
)

var (
	dnsLabel = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?$`)
	notLabel = regexp.MustCompile(`[^a-z0-9]+`)
	digits   = regexp.MustCompile(`^[0-9.]+$`)
)

// checkName reports a name that cannot be part of a DNS name: hosts, stacks
// and networks are looked up by theirs.
func (b *block) checkName() {
	if dnsLabel.MatchString(b.name) {
		return
	}
	instead := strings.Trim(notLabel.ReplaceAllString(strings.ToLower(b.name), "-"), "-")
	detail := "A name is at most 63 lower-case letters, digits and hyphens, and starts and ends with a letter or digit."
	if dnsLabel.MatchString(instead) {
		detail += fmt.Sprintf(" Write %s %q.", b.kind.name, instead)
	}
	b.ld.errorAt(b.label(), fmt.Sprintf("Invalid name %q", b.name), "%s", detail)
}

// addressProblem says what to write instead of an address that SSH could not
// reach, or "" when there is nothing wrong with it.
func addressProblem(s string) string {
	if _, err := netip.ParseAddr(s); err == nil {
		return ""
	}
	if host, port, err := net.SplitHostPort(s); err == nil && host != "" {
		return fmt.Sprintf("Write address = %q and port = %s.", host, port)
	}
	if user, host, ok := strings.Cut(s, "@"); ok {
		return fmt.Sprintf("Write address = %q and user = %q.", host, user)
	}
	if addr, _, ok := strings.Cut(s, "/"); ok {
		return fmt.Sprintf("One host has one address, without a length: write address = %q.", addr)
	}
	if digits.MatchString(s) {
		return "It looks like an IPv4 address, which is four numbers from 0 to 255."
	}
	if !hostName.MatchString(s) {
		return `Write an IP address such as "10.0.0.11", a DNS name, or a Host of your ~/.ssh/config.`
	}
	return ""
}

// network reads a CIDR argument of a given family; any is 0. The second result
// is false when there is none to use. A CIDR with host bits is kept without
// them, and the user is told.
func (ld *loader) cidr(s string, p place, family int) (netip.Prefix, bool) {
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		ld.errorAt(p, fmt.Sprintf("Invalid CIDR %q", s), "%s", cidrProblem(s))
		return netip.Prefix{}, false
	}
	if family == 4 && !prefix.Addr().Is4() {
		ld.errorAt(p, fmt.Sprintf("Not an IPv4 network: %q", s), `Swarm gives overlay networks IPv4 addresses: write a subnet such as "10.0.1.0/24".`)
		return netip.Prefix{}, false
	}
	if masked := prefix.Masked(); masked != prefix {
		ld.warnAt(p, fmt.Sprintf("%s is an address within a network", s), "The network is %s, and that is what is used. Write %q.", masked, masked)
		prefix = masked
	}
	return prefix, true
}

func cidrProblem(s string) string {
	if addr, err := netip.ParseAddr(s); err == nil {
		return fmt.Sprintf("This is one address. Write %q for it alone.", netip.PrefixFrom(addr, addr.BitLen()))
	}
	if base, mask, ok := strings.Cut(s, "/"); ok {
		addr, err := netip.ParseAddr(base)
		if m := net.ParseIP(mask).To4(); err == nil && m != nil {
			if ones, bits := net.IPMask(m).Size(); bits > 0 {
				return fmt.Sprintf("Write the length instead of the mask: %q.", netip.PrefixFrom(addr, ones))
			}
		}
		if err == nil {
			return fmt.Sprintf("What stands behind the slash is the length, from 0 to %d.", addr.BitLen())
		}
	}
	return `Write an address and a length, such as "10.0.1.0/24".`
}

// cidrs reads a list of CIDRs.
func (b *block) cidrs(arg string, family int) []string {
	return b.texts(arg, `["10.0.0.0/16"]`, func(s string, p place) (string, bool) {
		prefix, ok := b.ld.cidr(s, p, family)
		return prefix.String(), ok
	})
}
