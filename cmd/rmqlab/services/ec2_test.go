package services

import (
	"regexp"
	"testing"
)

func TestNewInstanceID(t *testing.T) {
	a, b := NewInstanceID(), NewInstanceID()
	if a == b {
		t.Errorf("two ids are the same: %s", a)
	}
	if form := regexp.MustCompile(`^i-[0-9a-f]{17}$`); !form.MatchString(a) {
		t.Errorf("%s is not in EC2's form %s", a, form)
	}
}

func TestSetConsole(t *testing.T) {
	c := &EC2{consoles: t.TempDir()}
	for _, text := range []string{"login: ", "", ""} { // taking away what is not there is no error
		if err := c.SetConsole("i-1", text); err != nil {
			t.Fatal(err)
		}
	}
}
