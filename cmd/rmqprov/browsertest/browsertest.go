// Package browsertest looks at pages in a real browser, for tests.
package browsertest

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// patience bounds how long a page may take, on a busy machine.
const patience = 2 * time.Minute

var result = regexp.MustCompile(`(?s)<script id="seen" type="text/plain">(.*?)</script>`)

// Ask shows a page in a headless Chromium that reaches no network, evaluates an
// expression of JavaScript in it, and decodes its value into answer.
func Ask(t *testing.T, page []byte, expression string, answer any) {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("%v\n→ this test looks at a page in a browser: `.ci/need chromium` brings it", err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "page.html")
	ask := `<script>window.addEventListener("load", () => { const s = document.createElement("script"); s.id = "seen"; s.type = "text/plain";
		let v; try { v = ` + expression + ` } catch (e) { v = String(e) } s.textContent = encodeURIComponent(JSON.stringify(v)); document.body.append(s) })</script>`
	if err := os.WriteFile(file, append(bytes.Clone(page), ask...), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
		"--host-resolver-rules=MAP * ~NOTFOUND", "--window-size=1280,900", "--user-data-dir="+filepath.Join(dir, "profile"), "--dump-dom", "file://"+file)
	out, err := c.Output()
	if err != nil {
		t.Fatalf("chromium: %v", err)
	}
	seen := result.FindSubmatch(out)
	if seen == nil {
		t.Fatalf("the page did not come to its end:\n%s", out)
	}
	text, err := url.PathUnescape(string(seen[1]))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(text), answer); err != nil {
		t.Fatalf("%v\nthe page said: %s", err, text)
	}
}
