package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rmqprov/rmqprov/cmd/internal/docs"
)

// What docs tell readers to type is taken by the program.
func TestCommandsOfTheDocs(t *testing.T) {
	const repository = "../.."
	names, err := docs.Files(os.DirFS(repository))
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(repository, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range docs.Commands(string(text), "rmqlab") {
			tried++
			if err := c.Try(command()); err != nil {
				t.Errorf("%s:%d: rmqlab %s: %v", name, c.Line, strings.Join(c.Words, " "), err)
			}
		}
	}
	if tried == 0 {
		t.Error("the docs have no command of rmqlab")
	}
}
