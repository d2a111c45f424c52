package remote

import "strings"

const plainWord = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+:,./@"

// Quote joins words into a command line that every login shell in use (sh,
// bash, zsh, fish) splits into the same words again, whatever is in them.
func Quote(words ...string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quoteWord(w)
	}
	return strings.Join(quoted, " ")
}

func quoteWord(w string) string {
	if w != "" && strings.Trim(w, plainWord) == "" {
		return w
	}
	// Fish gives a backslash inside single quotes a meaning, sh does not:
	// so neither a quote nor a backslash stays inside.
	return "'" + unquoted.Replace(w) + "'"
}

var unquoted = strings.NewReplacer(`'`, `'\''`, `\`, `'\\'`)
