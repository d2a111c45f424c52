package inventory

import (
	"regexp"

	"github.com/zclconf/go-cty/cty"
)

var regionName = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-[0-9]+$`)

func (b *block) region() string {
	return b.pattern("region", regionName, `the code of an AWS region, such as "eu-central-1"`)
}

// declareCluster reads the cluster block, which every inventory has.
func (ld *loader) declareCluster() {
	blocks := ld.blocks["cluster"]
	if len(blocks) == 0 {
		ld.errorAt(at(ld.start), "No cluster block",
			"Write cluster \"rmq\" {} with the name of your cluster: it marks on hosts and in EC2 what belongs to it.")
		return
	}
	b := blocks[0]
	b.checkName()
	ld.inv.Cluster = Cluster{Name: b.name, Range: b.header()}
	ld.declare("cluster", "", b.label(), func() cty.Value {
		ld.inv.Cluster.Region = b.region()
		return cty.ObjectVal(map[string]cty.Value{
			"name":   cty.StringVal(b.name),
			"region": cty.StringVal(ld.inv.Cluster.Region),
		})
	})
}
