package screen

import "strings"

// Key is a key that was pressed.
type Key string

// The keys that have a meaning. Letters are themselves.
const (
	Up        Key = "up"
	Down      Key = "down"
	PageUp    Key = "page up"
	PageDown  Key = "page down"
	Home      Key = "home"
	End       Key = "end"
	Enter     Key = "enter"
	Escape    Key = "escape"
	Interrupt Key = "^C"
)

// sequences are what terminals send for keys, in both of their modes.
var sequences = []struct {
	sent string
	key  Key
}{
	{"\x1b[A", Up}, {"\x1bOA", Up}, {"\x1b[B", Down}, {"\x1bOB", Down},
	{"\x1b[5~", PageUp}, {"\x1b[6~", PageDown},
	{"\x1b[H", Home}, {"\x1bOH", Home}, {"\x1b[1~", Home}, {"\x1b[F", End}, {"\x1bOF", End}, {"\x1b[4~", End},
	{"\r", Enter}, {"\n", Enter}, {"\x03", Interrupt},
}

// read reads keys for as long as the terminal gives any. A read cannot be
// broken off; it ends with the process.
func (s *Screen) read() {
	var buffer [256]byte
	for {
		n, err := s.terminal.In.Read(buffer[:])
		if err != nil {
			return
		}
		for _, k := range parse(string(buffer[:n])) {
			select {
			case s.keys <- k:
			default: // keys that nobody looks at are dropped, and not saved up
			}
		}
	}
}

// parse finds the keys in what one read brought. What has no meaning is left
// out, an unknown escape sequence as a whole.
func parse(sent string) []Key {
	var keys []Key
	for sent != "" {
		key, length := first(sent)
		if key != "" {
			keys = append(keys, key)
		}
		sent = sent[length:]
	}
	return keys
}

// first is the key that a text begins with, "" for none, and how many bytes it
// takes.
func first(sent string) (Key, int) {
	for _, s := range sequences {
		if strings.HasPrefix(sent, s.sent) {
			return s.key, len(s.sent)
		}
	}
	switch c := sent[0]; {
	case sent == "\x1b":
		return Escape, 1
	case strings.HasPrefix(sent, "\x1b["), strings.HasPrefix(sent, "\x1bO"):
		return "", unknown(sent)
	case c > ' ' && c < 0x7f:
		return Key(c), 1
	}
	return "", 1
}

// unknown is the length of an escape sequence: up to its last byte, which is a
// letter or a tilde.
func unknown(sent string) int {
	for i := 2; i < len(sent); i++ {
		if sent[i] >= '@' && sent[i] <= '~' {
			return i + 1
		}
	}
	return len(sent)
}
