package inventory

import (
	"errors"
	"fmt"
	"net"

	"github.com/apparentlymart/go-cidr/cidr"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/gocty"
)

var prefixParam = function.Parameter{Name: "prefix", Type: cty.String}

// cidrHostFunc gives the address with a number within a network.
var cidrHostFunc = function.New(&function.Spec{
	Params: []function.Parameter{prefixParam, {Name: "hostnum", Type: cty.Number}},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		network, err := networkOf(args[0])
		if err != nil {
			return cty.NilVal, err
		}
		number, err := wholeNumber(args, 1)
		if err != nil {
			return cty.NilVal, err
		}
		ip, err := cidr.Host(network, number)
		if err != nil {
			return cty.NilVal, err
		}
		return cty.StringVal(ip.String()), nil
	},
})

// cidrNetmaskFunc gives an IPv4 network's mask in dotted form.
var cidrNetmaskFunc = function.New(&function.Spec{
	Params: []function.Parameter{prefixParam},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		network, err := networkOf(args[0])
		if err != nil {
			return cty.NilVal, err
		}
		if len(network.Mask) != net.IPv4len {
			return cty.NilVal, function.NewArgErrorf(0, "an IPv6 network has no mask in this form")
		}
		return cty.StringVal(net.IP(network.Mask).String()), nil
	},
})

// cidrSubnetFunc gives the network with a number within a larger one.
var cidrSubnetFunc = function.New(&function.Spec{
	Params: []function.Parameter{prefixParam, {Name: "newbits", Type: cty.Number}, {Name: "netnum", Type: cty.Number}},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		network, err := networkOf(args[0])
		if err != nil {
			return cty.NilVal, err
		}
		bits, err := wholeNumber(args, 1)
		if err != nil {
			return cty.NilVal, err
		}
		number, err := wholeNumber(args, 2)
		if err != nil {
			return cty.NilVal, err
		}
		subnet, err := cidr.Subnet(network, bits, number)
		if err != nil {
			return cty.NilVal, err
		}
		return cty.StringVal(subnet.String()), nil
	},
})

// cidrSubnetsFunc gives consecutive networks of given sizes within a larger
// one.
var cidrSubnetsFunc = function.New(&function.Spec{
	Params:   []function.Parameter{prefixParam},
	VarParam: &function.Parameter{Name: "newbits", Type: cty.Number},
	Type:     function.StaticReturnType(cty.List(cty.String)),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		network, err := networkOf(args[0])
		if err != nil {
			return cty.NilVal, err
		}
		subnets, err := consecutive(network, args)
		if err != nil {
			return cty.NilVal, err
		}
		if len(subnets) == 0 {
			return cty.ListValEmpty(cty.String), nil
		}
		return cty.ListVal(subnets), nil
	},
})

// consecutive cuts networks out of one; args hold their additional bits from
// the second on.
func consecutive(network *net.IPNet, args []cty.Value) ([]cty.Value, error) {
	var subnets []cty.Value
	var last *net.IPNet
	ones, size := network.Mask.Size()
	for i := 1; i < len(args); i++ {
		bits, err := wholeNumber(args, i)
		if err != nil {
			return nil, err
		}
		if bits < 1 || bits > size-ones {
			return nil, function.NewArgErrorf(i, "a /%d has room for 1 to %d additional bits", ones, size-ones)
		}
		next, err := following(network, last, ones+bits)
		if err != nil {
			return nil, function.NewArgError(i, err)
		}
		subnets = append(subnets, cty.StringVal(next.String()))
		last = next
	}
	return subnets, nil
}

// following gives the network of a length that comes after last.
func following(network, last *net.IPNet, length int) (*net.IPNet, error) {
	if last == nil {
		ones, _ := network.Mask.Size()
		return cidr.Subnet(network, length-ones, 0)
	}
	next, rollover := cidr.NextSubnet(last, length)
	if rollover || !network.Contains(next.IP) {
		return nil, fmt.Errorf("%s has no room left for a /%d", network, length)
	}
	return next, nil
}

func networkOf(v cty.Value) (*net.IPNet, error) {
	_, network, err := net.ParseCIDR(v.AsString())
	if err != nil {
		return nil, function.NewArgErrorf(0, "%q is no CIDR. %s", v.AsString(), cidrProblem(v.AsString(), 0))
	}
	return network, nil
}

func wholeNumber(args []cty.Value, i int) (int, error) {
	var n int
	if err := gocty.FromCtyValue(args[i], &n); err != nil {
		return 0, function.NewArgError(i, errors.New("a whole number is needed"))
	}
	return n, nil
}
