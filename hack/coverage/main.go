// Command coverage reads a coverage profile, prints what part of each package's
// statements was run, and fails when a package stays below the floor. A statement
// counts as run when any of the profile's test binaries ran it.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

func main() {
	floor := flag.Float64("floor", 85, "least part of a package's statements, in per cent")
	flag.Parse()
	if err := report(flag.Arg(0), *floor); err != nil {
		fmt.Fprintln(os.Stderr, "coverage:", err)
		os.Exit(1)
	}
}

func report(file string, floor float64) error {
	blocks, err := read(file)
	if err != nil {
		return err
	}
	packages := map[string]share{}
	all := share{}
	for place, b := range blocks {
		name := path.Dir(place)
		packages[name] = packages[name].plus(b)
		all = all.plus(b)
	}
	var below []string
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		fmt.Printf("%-72s %5.1f %%\n", name, packages[name].percent())
		if packages[name].percent() < floor {
			below = append(below, name)
		}
	}
	fmt.Printf("%-72s %5.1f %%\n", "all", all.percent())
	if len(below) > 0 {
		return fmt.Errorf("below %.0f %%: %s", floor, strings.Join(below, ", "))
	}
	return nil
}

// share is how many statements there are and how many of them were run.
type share struct{ all, run int }

func (s share) plus(o share) share { return share{s.all + o.all, s.run + o.run} }

func (s share) percent() float64 { return 100 * float64(s.run) / float64(max(s.all, 1)) }

// read returns the profile's blocks by their places. Each line is
// "file:from,until statements count".
func read(file string) (map[string]share, error) {
	raw, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = raw.Close() }()
	blocks := map[string]share{}
	lines := bufio.NewScanner(raw)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) != 3 {
			continue // the mode
		}
		statements, err := strconv.Atoi(fields[1])
		if err != nil {
			return nil, fmt.Errorf("%q is no line of a profile", lines.Text())
		}
		block := share{all: statements}
		if fields[2] != "0" {
			block.run = statements
		}
		blocks[fields[0]] = share{statements, max(blocks[fields[0]].run, block.run)}
	}
	return blocks, lines.Err()
}
