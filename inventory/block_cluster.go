package inventory

import "github.com/zclconf/go-cty/cty"

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
		ld.inv.Cluster.Region = b.text("region")
		return cty.ObjectVal(map[string]cty.Value{
			"name":   cty.StringVal(b.name),
			"region": cty.StringVal(ld.inv.Cluster.Region),
		})
	})
}
