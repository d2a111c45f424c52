package inventory

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
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
	if addr, err := netip.ParseAddr(s); err == nil {
		if addr.IsUnspecified() || addr.IsMulticast() {
			return `No host has this address. Write the one that SSH reaches it by, such as "10.0.0.11".`
		}
		return ""
	}
	if host, port := splitPort(s); port != "" {
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

// splitPort splits host:port; the port is "" when there is none.
func splitPort(s string) (host, port string) {
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" {
		return s, ""
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return s, ""
	}
	return host, port
}

// cidr reads a CIDR. The second result is false when there is none to use. One
// with host bits is kept without them, and the user is told. The length is what
// is suggested for a single address, 0 for that address alone.
func (ld *loader) cidr(s string, p place, length int) (netip.Prefix, bool) {
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		ld.errorAt(p, fmt.Sprintf("Invalid CIDR %q", s), "%s.", cidrProblem(s, length))
		return netip.Prefix{}, false
	}
	if masked := prefix.Masked(); masked != prefix {
		ld.warnAt(p, fmt.Sprintf("%s is an address within a network", s), "The network is %s, and that is what is used. Write %q.", masked, masked)
		prefix = masked
	}
	return prefix, true
}

// overlay reads a CIDR that containers get their addresses from.
func (ld *loader) overlay(s string, p place, length int) (netip.Prefix, bool) {
	prefix, ok := ld.cidr(s, p, length)
	if !ok {
		return netip.Prefix{}, false
	}
	if !prefix.Addr().Is4() {
		ld.errorAt(p, fmt.Sprintf("Not an IPv4 network: %q", s), `Swarm gives overlay networks IPv4 addresses: write a subnet such as "10.0.1.0/24".`)
		return netip.Prefix{}, false
	}
	if i := slices.IndexFunc(unusable, prefix.Overlaps); i >= 0 {
		ld.errorAt(p, fmt.Sprintf("%s cannot be used for containers", prefix), "Addresses in %s have a meaning of their own. Write a private network such as \"10.0.1.0/24\".", unusable[i])
		return netip.Prefix{}, false
	}
	if !slices.ContainsFunc(private, func(p netip.Prefix) bool { return p.Overlaps(prefix) && p.Bits() <= prefix.Bits() }) {
		ld.warnAt(p, fmt.Sprintf("%s is public", prefix), "Containers could not reach who has these addresses on the internet. Write a private network such as \"10.0.1.0/24\".")
	}
	return prefix, true
}

func prefixes(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, s := range texts {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}

var (
	// unusable are this host, loopback, link-local with EC2's metadata, and
	// multicast.
	unusable = prefixes("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3")
	// private are the networks of RFC 1918, of carriers (RFC 6598) and of
	// benchmarks and documentation, which nobody has on the internet.
	private = prefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "198.18.0.0/15", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")
)

// cidrProblem says what to write instead of something that is no CIDR, as a
// sentence without its full stop.
func cidrProblem(s string, length int) string {
	if addr, err := netip.ParseAddr(s); err == nil {
		if length == 0 || length > addr.BitLen() {
			return fmt.Sprintf("This is one address. Write %q for it alone", netip.PrefixFrom(addr, addr.BitLen()))
		}
		network, _ := addr.Prefix(length)
		return fmt.Sprintf("This is one address. Write the network with its length, such as %q", network)
	}
	if base, mask, ok := strings.Cut(s, "/"); ok {
		addr, err := netip.ParseAddr(base)
		if m := net.ParseIP(mask).To4(); err == nil && m != nil {
			if ones, bits := net.IPMask(m).Size(); bits > 0 {
				return fmt.Sprintf("Write the length instead of the mask: %q", netip.PrefixFrom(addr, ones))
			}
		}
		if err == nil {
			return fmt.Sprintf("What stands behind the slash is the length, from 0 to %d", addr.BitLen())
		}
	}
	return `Write an address and a length, such as "10.0.1.0/24"`
}

// cidrs reads a list of CIDRs, each by the given rule.
func (b *block) cidrs(arg string, length int, read func(s string, p place, length int) (netip.Prefix, bool)) []string {
	return b.texts(arg, `["10.0.0.0/16"]`, func(s string, p place) (string, bool) {
		prefix, ok := read(s, p, length)
		return prefix.String(), ok
	})
}
