package playbooks

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// Versions says from which version of a system one may go to which at once. Zero
// knows nothing of versions.
type Versions struct {
	Series int                 // how many numbers of a version name a series: 2 in 4.1.3
	Paths  map[string][]string // a series, or a version from which on it counts → the series that it may become
}

// bindVersions reads the ways from version to version.
func (b *binder) bindVersions() {
	block := b.playbook.Versions
	if block == nil {
		return
	}
	v := Versions{Series: 2, Paths: as[map[string][]string](b, block.Paths, cty.Map(cty.List(cty.String)), "paths")}
	if !isAbsent(block.Series) {
		v.Series = b.number(block.Series, "series")
	}
	if v.Series < 1 || v.Series > 3 {
		b.fail(block.Series.Range(), "Wrong series", "series is how many numbers of a version name a series, 1 to 3, not %d.", v.Series)
	}
	for from, all := range v.Paths {
		for _, text := range append([]string{from}, all...) {
			if len(ParseVersion(text)) == 0 {
				b.fail(block.Paths.Range(), "Not a version", "%q in paths is no version such as 4.1.", text)
			}
		}
	}
	b.stack.Versions = v
}

var version = regexp.MustCompile(`^v?(\d+(?:\.\d+){0,3})(?:[-+_].*)?$`)

// ParseVersion returns the numbers of a version such as "4.1.3-management"; none
// where the text does not begin with one.
func ParseVersion(text string) []int {
	m := version.FindStringSubmatch(text)
	if m == nil {
		return nil
	}
	var numbers []int
	for part := range strings.SplitSeq(m[1], ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil
		}
		numbers = append(numbers, n)
	}
	return numbers
}
