package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

func daysCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "days RESULTS DOCUMENT",
		Short: "Write the table of the worst days that `make chaos` saw into a document",
		Long: `Reads what the worst days were like, a JSON object a line, and writes a row for each kind of day into the
document, between the lines "` + tableBegins + `" and "` + tableEnds + `". Of several runs, it gives the worst.`,
		Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error { return writeDays(args[0], args[1]) },
	}
}

const (
	tableBegins = "<!-- table -->"
	tableEnds   = "<!-- end of table -->"
)

// dayRun is what one run of a day was like, as the test of the worst days notes it.
type dayRun struct {
	Day        string  `json:"day"`
	Status     string  `json:"status"` // what rmqprov status said meanwhile
	Mend       string  `json:"mend"`
	Lasted     float64 `json:"lasted"` // seconds, until it was mended
	Whole      float64 `json:"whole"`  // seconds from then until all was well
	Confirmed  int     `json:"confirmed"`
	Lost       int     `json:"lost"`
	Duplicated int     `json:"duplicated"`
	Publisher  float64 `json:"publisher"` // longest pause of all queues together, in seconds
	Consumer   float64 `json:"consumer"`

	PublisherQueue float64 `json:"publisher_queue"` // longest pause of a single queue
	ConsumerQueue  float64 `json:"consumer_queue"`

	Failed bool `json:"failed"`
}

func writeDays(results, document string) error {
	f, err := os.Open(results)
	if err != nil {
		return err
	}
	defer f.Close()
	rows, err := readDays(f)
	if err != nil {
		return fmt.Errorf("%s: %w", results, err)
	}
	text, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	changed, err := withTable(string(text), daysTable(rows))
	if err != nil {
		return fmt.Errorf("%s: %w", document, err)
	}
	return os.WriteFile(document, []byte(changed), 0o644)
}

// withTable puts a table between the lines of a document that mark its place.
func withTable(document, table string) (string, error) {
	before, rest, begun := strings.Cut(document, tableBegins+"\n")
	_, after, ended := strings.Cut(rest, tableEnds+"\n")
	if !begun || !ended {
		return "", fmt.Errorf("there is no place for the table: it goes between the lines %q and %q", tableBegins, tableEnds)
	}
	return before + tableBegins + "\n" + table + tableEnds + "\n" + after, nil
}

// dayRow is a kind of day with all its runs.
type dayRow struct {
	runs, failed int
	worst        dayRun // of each figure, the worst of all runs; the words are the last run's
}

// readDays brings the runs of each day together, in the order in which the days first came.
func readDays(r io.Reader) ([]*dayRow, error) {
	var rows []*dayRow
	byName := map[string]*dayRow{}
	for lines := json.NewDecoder(r); ; {
		var run dayRun
		err := lines.Decode(&run)
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		row := byName[run.Day]
		if row == nil {
			row = &dayRow{}
			byName[run.Day] = row
			rows = append(rows, row)
		}
		row.add(run)
	}
}

func (row *dayRow) add(run dayRun) {
	row.runs++
	if run.Failed {
		row.failed++
	}
	w := row.worst
	row.worst = dayRun{
		Day: run.Day, Status: run.Status, Mend: run.Mend,
		Lasted: max(w.Lasted, run.Lasted), Whole: max(w.Whole, run.Whole),
		Confirmed: w.Confirmed + run.Confirmed, Lost: w.Lost + run.Lost, Duplicated: w.Duplicated + run.Duplicated,
		Publisher: max(w.Publisher, run.Publisher), Consumer: max(w.Consumer, run.Consumer),
		PublisherQueue: max(w.PublisherQueue, run.PublisherQueue), ConsumerQueue: max(w.ConsumerQueue, run.ConsumerQueue),
	}
}

// daysTable is the table in Markdown.
func daysTable(rows []*dayRow) string {
	var b bytes.Buffer
	b.WriteString(`| what happens | runs | lost, of confirmed | duplicates | longest pause: publisher, consumer | of one queue | lasted, and whole again after | ` + "`rmqprov status` meanwhile | mended by |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|\n")
	for _, row := range rows {
		w := row.worst
		fmt.Fprintf(&b, "| %s | %s | %d of %d | %d | %.1f s, %.1f s | %.1f s, %.1f s | %.0f s, %.0f s | %s | %s |\n",
			w.Day, row.count(), w.Lost, w.Confirmed, w.Duplicated, w.Publisher, w.Consumer, w.PublisherQueue, w.ConsumerQueue,
			w.Lasted, w.Whole, cell(w.Status), w.Mend)
	}
	return b.String()
}

func (row *dayRow) count() string {
	if row.failed > 0 {
		return fmt.Sprintf("%d, %d failed", row.runs, row.failed)
	}
	return fmt.Sprint(row.runs)
}

// cell makes text fit for a table's cell.
func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}
