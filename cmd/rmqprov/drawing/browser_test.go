package drawing

import (
	"bytes"
	"io"
	"testing"

	"github.com/rmqprov/rmqprov/cmd/rmqprov/browsertest"
	"github.com/rmqprov/rmqprov/cmd/rmqprov/sample"
)

// overlaps lists, of the picture in the page, texts that lie over another or
// leave the card that they stand in, and cards that lie over another.
const overlaps = `(() => {
	const found = [], box = e => e.getBoundingClientRect(), name = e => e.textContent || e.getAttribute("class");
	const meet = (a, b) => a.left + 1 < b.right && b.left + 1 < a.right && a.top + 1 < b.bottom && b.top + 1 < a.bottom;
	const holds = (a, b) => a.left <= b.left && b.right <= a.right && a.top <= b.top && b.bottom <= a.bottom;
	const texts = [...document.querySelectorAll("svg text")], cards = [...document.querySelectorAll("svg rect.card")];
	const paper = box(document.querySelector("svg rect.paper"));
	for (const all of [texts, cards]) all.forEach((a, i) => all.slice(i + 1).forEach(b => {
		if (meet(box(a), box(b))) found.push(name(a) + " lies over " + name(b)) }));
	for (const t of texts) {
		if (!holds(paper, box(t))) found.push(name(t) + " leaves the picture");
		for (const c of cards) if (meet(box(c), box(t)) && !holds(box(c), box(t))) found.push(name(t) + " leaves its card");
	}
	return {Texts: texts.length, Found: found};
})()`

// TestNothingOverlaps looks at the pictures in a browser.
func TestNothingOverlaps(t *testing.T) {
	many := prod()
	many.Zones = []Zone{{Hosts: make([]Host, 9)}}
	for i := range many.Zones[0].Hosts {
		many.Zones[0].Hosts[i] = Host{Name: "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW", Address: "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff", Role: "manager"}
	}
	for name, draw := range map[string]func(io.Writer) error{
		"plan":    func(w io.Writer) error { return Plan(w, sample.Plan(3), "plan of cluster prod") },
		"many":    func(w io.Writer) error { return Plan(w, sample.Plan(200), "plan of cluster prod") },
		"cluster": prod().Draw,
		"hosts":   many.Draw,
	} {
		t.Run(name, func(t *testing.T) {
			var picture bytes.Buffer
			if err := draw(&picture); err != nil {
				t.Fatal(err)
			}
			var seen struct {
				Texts int
				Found []string
			}
			browsertest.Ask(t, picture.Bytes(), overlaps, &seen)
			if seen.Texts == 0 {
				t.Error("the browser shows no text at all")
			}
			for _, f := range seen.Found {
				t.Error(f)
			}
		})
	}
}
