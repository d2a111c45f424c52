package main

import (
	"strings"
	"testing"
)

const threeRuns = `{"day":"one host dies","status":"node-2 cannot be reached | gone","mend":"its return","lasted":30,"whole":41.2,"confirmed":1000,"duplicated":3,"publisher":0.4,"consumer":1.5,"publisher_queue":2,"consumer_queue":2.5}
{"day":"all die","status":"nothing","mend":"their return","lasted":30,"whole":90,"confirmed":500,"lost":2,"publisher":99.96,"consumer":99,"failed":true}
{"day":"one host dies","status":"node-2 cannot be reached","mend":"its return","lasted":30.2,"whole":20,"confirmed":1100,"duplicated":1,"publisher":0.9,"consumer":1,"publisher_queue":1,"consumer_queue":3}
`

// Figures that may not be bad are added up, and of times it is the longest that counts.
func TestDaysTableTellsTheWorst(t *testing.T) {
	rows, err := readDays(strings.NewReader(threeRuns))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.SplitAfter(daysTable(rows), "\n")[2:]
	want := []string{
		"| one host dies | 2 | 0 of 2100 | 4 | 0.9 s, 1.5 s | 2.0 s, 3.0 s | 30 s, 41 s | node-2 cannot be reached | its return |\n",
		"| all die | 1, 1 failed | 2 of 500 | 0 | 100.0 s, 99.0 s | 0.0 s, 0.0 s | 30 s, 90 s | nothing | their return |\n",
		"",
	}
	if strings.Join(got, "") != strings.Join(want, "") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, ""), strings.Join(want, ""))
	}
}

func TestDaysRefusesWhatIsNoResult(t *testing.T) {
	if _, err := readDays(strings.NewReader("--- PASS: TestWorstDays\n")); err == nil {
		t.Error("it took a test's output for results")
	}
}

func TestTableTakesItsPlaceInTheDocument(t *testing.T) {
	got, err := withTable("# A\n"+tableBegins+"\nold\n"+tableEnds+"\nthe rest\n", "new\n")
	if want := "# A\n" + tableBegins + "\nnew\n" + tableEnds + "\nthe rest\n"; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if _, err := withTable("# A\n", "new\n"); err == nil || !strings.Contains(err.Error(), tableBegins) {
		t.Errorf("a document without a place for it: %v", err)
	}
}
