package seedtest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Endpoint is one operation as a document describes it.
type Endpoint struct {
	Method   string
	Path     string // with {placeholders}
	Success  Answer
	Failures []Answer
	Commands []Command
}

// Name is how a document's heading calls an operation: "GET /health".
func (e Endpoint) Name() string { return e.Method + " " + e.Path }

// Answer is a printed body.
type Answer struct {
	Status int
	Label  string // what the document calls it beside the status; may be empty
	Body   json.RawMessage
	// Abbreviated is a body that says "full chain object" in a comment instead of
	// printing it.
	Abbreviated bool
}

// Command is a printed curl command.
type Command struct {
	Curl
	Line int // in the document, from 1
}

var (
	headings = regexp.MustCompile("^#{1,4} ")
	endpoint = regexp.MustCompile("^#### `([A-Z]+) (\\S+)`")
	label    = regexp.MustCompile(`^[-\s]*\*\*(.+?):?\*\*`)
	answered = regexp.MustCompile(`^(Success|Error) \((\d{3})\)(?: - (.+?))?:?$`)
	fence    = regexp.MustCompile("^(\\s*)```(\\w*)\\s*$")
	ellipsis = regexp.MustCompile(`,?\s*//[^\n]*`)
)

// Parse reads a document's endpoints in their order.
func Parse(document string) ([]Endpoint, error) {
	p := parser{lines: strings.Split(document, "\n")}
	for p.at < len(p.lines) {
		if err := p.line(); err != nil {
			return nil, fmt.Errorf("line %d: %w", p.at+1, err)
		}
		p.at++
	}
	return p.found, nil
}

// parser goes through a document line by line.
type parser struct {
	lines  []string
	at     int
	found  []Endpoint
	inside bool   // of an endpoint's section
	label  string // the bold words above
}

func (p *parser) line() error {
	line := p.lines[p.at]
	switch {
	case headings.MatchString(line):
		p.label, p.inside = "", false
		if named := endpoint.FindStringSubmatch(line); named != nil {
			p.found = append(p.found, Endpoint{Method: named[1], Path: named[2]})
			p.inside = true
		}
	case fence.MatchString(line):
		return p.block()
	case label.MatchString(line):
		p.label = strings.TrimSuffix(label.FindStringSubmatch(line)[1], ":")
	}
	return nil
}

// block takes a fenced block to its end.
func (p *parser) block() error {
	opening := fence.FindStringSubmatch(p.lines[p.at])
	first := p.at + 1
	for p.at++; p.at < len(p.lines); p.at++ {
		if strings.TrimSpace(p.lines[p.at]) == "```" {
			return p.take(opening[2], first, opening[1])
		}
	}
	return fmt.Errorf("the block that begins on line %d does not end", first)
}

func (p *parser) take(language string, first int, indent string) error {
	if !p.inside {
		return nil
	}
	var text strings.Builder
	for _, line := range p.lines[first:p.at] {
		text.WriteString(strings.TrimPrefix(line, indent) + "\n")
	}
	e := &p.found[len(p.found)-1]
	switch kind := answered.FindStringSubmatch(p.label); {
	case language == "bash":
		return e.addCommands(text.String(), first+1)
	case language == "json" && kind != nil:
		return e.addAnswer(kind, text.String())
	}
	return nil
}

// addCommands reads a block of commands; each is said to be on the line where
// the word curl stands.
func (e *Endpoint) addCommands(script string, line int) error {
	commands, err := Commands(script)
	if err != nil {
		return err
	}
	var starts []int
	for i, text := range strings.Split(script, "\n") {
		if strings.HasPrefix(text, "curl ") {
			starts = append(starts, line+i)
		}
	}
	if len(starts) != len(commands) {
		return fmt.Errorf("%d commands in a block where curl begins %d lines", len(commands), len(starts))
	}
	for i, words := range commands {
		one, err := ParseCurl(words)
		if err != nil {
			return err
		}
		e.Commands = append(e.Commands, Command{Curl: one, Line: starts[i]})
	}
	return nil
}

func (e *Endpoint) addAnswer(kind []string, text string) error {
	status, err := strconv.Atoi(kind[2])
	if err != nil {
		return err
	}
	a := Answer{Status: status, Label: kind[3], Body: json.RawMessage(text)}
	if !json.Valid(a.Body) {
		a.Abbreviated = true
		a.Body = json.RawMessage(ellipsis.ReplaceAllString(text, ""))
	}
	if !json.Valid(a.Body) {
		return fmt.Errorf("the example is not JSON: %s", text)
	}
	if kind[1] == "Success" {
		e.Success = a
	} else {
		e.Failures = append(e.Failures, a)
	}
	return nil
}
