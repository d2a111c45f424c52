package inventory

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

var (
	groupID   = regexp.MustCompile(`^sg-[0-9a-f]{8,17}$`)
	groupName = regexp.MustCompile(`^[A-Za-z0-9 ._:/()#,@\[\]+=&;{}!$*-]{1,255}$`)
)

func (ld *loader) decodeSecurityGroup() {
	for _, b := range ld.blocks["security_group"] {
		if !groupName.MatchString(b.name) || strings.HasPrefix(b.name, "sg-") {
			ld.errorAt(b.label(), fmt.Sprintf("Invalid name %q", b.name), `EC2 takes up to 255 letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*, and no name that starts with "sg-". To use a group that exists, write adopt = "sg-…".`)
		}
		ld.inv.SecurityGroup = &SecurityGroup{
			Name:      b.name,
			Adopt:     b.pattern("adopt", groupID, `the id of a security group, such as "sg-0123456789abcdef0"`),
			Clients:   b.cidrs("clients", 0, ld.cidr),
			Operators: b.operators(),
			Range:     b.header(),
		}
	}
}

// operators reads who reaches SSH and the consoles. Opening these to the world
// is the user's right, and hardly ever meant.
func (b *block) operators() []string {
	cidrs := b.cidrs("operators", 0, b.ld.cidr)
	for _, s := range cidrs {
		if prefix, err := netip.ParsePrefix(s); err == nil && prefix.Bits() == 0 {
			b.ld.warnAt(b.place("operators"), "SSH and consoles are open to the whole internet", "%s is everybody. Name the networks of your operators, or leave operators out and use `rmqprov tunnel`.", s)
		}
	}
	return cidrs
}
