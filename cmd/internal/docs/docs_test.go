package docs

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCommands(t *testing.T) {
	text := "Text with `tool plan\nF` and `tool` and `other plan`.\n" +
		"```\n$ tool apply --yes                 does it\n  A=b bin/tool show 'a | b' | jq . # tool c\ntool x > out && tool y\n" +
		"tool: error: no\n```\n```hcl\ntool z\n```\n```yaml\n- run: tool lint\n```\n"
	want := []Command{
		{4, []string{"apply", "--yes"}, false}, {5, []string{"show", "a | b"}, false}, {6, []string{"x"}, false}, {6, []string{"y"}, false},
		{13, []string{"lint"}, false}, {1, []string{"plan", "F"}, true},
	}
	if diff := cmp.Diff(want, Commands(text, "tool")); diff != "" {
		t.Error(diff)
	}
	blocks := Blocks(text)
	if len(blocks) != 3 || blocks[1].Language != "hcl" || blocks[1].Text != "tool z\n" || blocks[1].Line != 10 {
		t.Errorf("blocks are %+v", blocks)
	}
}
