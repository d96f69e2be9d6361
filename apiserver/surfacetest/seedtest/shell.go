// Package seedtest reads the documents that the surfaces are built to: the
// commands and the answers that they print, so that tests can run the ones and
// compare the others as they stand there.
package seedtest

import (
	"errors"
	"fmt"
	"strings"
)

// errUnclosed refuses a script that ends inside of quotes.
var errUnclosed = errors.New("a quote is not closed")

// Commands splits a script into its commands and these into words, as a POSIX
// shell does: quotes of both kinds, backslashes, lines that go on, comments. It
// expands nothing, for there is nothing to expand in a document's examples.
func Commands(script string) ([][]string, error) {
	var l lexer
	for rest := script; rest != ""; {
		taken, err := l.next(rest)
		if err != nil {
			return nil, err
		}
		rest = rest[taken:]
	}
	l.endCommand()
	return l.commands, nil
}

// lexer gathers words into commands.
type lexer struct {
	commands [][]string
	words    []string
	word     strings.Builder
	inWord   bool // an empty word is one too: ''
}

// next takes one character, or one quoted or escaped piece, and returns how many
// bytes that was.
func (l *lexer) next(rest string) (int, error) {
	switch rest[0] {
	case '\n', ';':
		l.endCommand()
		return 1, nil
	case ' ', '\t', '\r':
		l.endWord()
		return 1, nil
	case '#':
		if !l.inWord {
			return comment(rest), nil
		}
	case '\'':
		return l.single(rest)
	case '"':
		return l.double(rest)
	case '\\':
		return l.escaped(rest)
	}
	l.add(rest[:1])
	return 1, nil
}

func (l *lexer) add(text string) {
	l.word.WriteString(text)
	l.inWord = true
}

func (l *lexer) endWord() {
	if l.inWord {
		l.words = append(l.words, l.word.String())
	}
	l.word.Reset()
	l.inWord = false
}

func (l *lexer) endCommand() {
	l.endWord()
	if len(l.words) > 0 {
		l.commands = append(l.commands, l.words)
	}
	l.words = nil
}

// comment is how long a comment is, without the newline that ends it.
func comment(rest string) int {
	if end := strings.IndexByte(rest, '\n'); end >= 0 {
		return end
	}
	return len(rest)
}

// single takes everything between the quotes as it is.
func (l *lexer) single(rest string) (int, error) {
	end := strings.IndexByte(rest[1:], '\'')
	if end < 0 {
		return 0, errUnclosed
	}
	l.add(rest[1 : 1+end])
	return end + 2, nil
}

// double takes a backslash before ", $, ` and \ away; before a newline it takes
// the newline with it.
func (l *lexer) double(rest string) (int, error) {
	l.add("")
	for i := 1; i < len(rest); i++ {
		switch {
		case rest[i] == '"':
			return i + 1, nil
		case rest[i] == '\\' && i+1 < len(rest) && strings.IndexByte("\"$`\\\n", rest[i+1]) >= 0:
			if i++; rest[i] != '\n' {
				l.add(rest[i : i+1])
			}
		default:
			l.add(rest[i : i+1])
		}
	}
	return 0, errUnclosed
}

// escaped takes the next character as it is; a newline only lets the line go on.
func (l *lexer) escaped(rest string) (int, error) {
	switch {
	case len(rest) == 1:
		return 0, errors.New("a backslash at the end")
	case rest[1] != '\n':
		l.add(rest[1:2])
	}
	return 2, nil
}

// Curl is a request as a curl command says it.
type Curl struct {
	Method string
	URL    string
	Header [][2]string // names and values, in order
	Body   string
}

// ParseCurl understands the options that the documents use, and refuses others:
// one that is passed over would make another request.
func ParseCurl(words []string) (Curl, error) {
	if len(words) == 0 || words[0] != "curl" {
		return Curl{}, errors.New("not a curl command")
	}
	c := Curl{Method: "GET"}
	for i := 1; i < len(words); i++ {
		word := words[i]
		if !strings.HasPrefix(word, "-") {
			if c.URL != "" {
				return c, fmt.Errorf("a second URL: %q", word)
			}
			c.URL = word
			continue
		}
		if i++; i == len(words) {
			return c, fmt.Errorf("%s lacks its value", word)
		}
		if err := c.option(word, words[i]); err != nil {
			return c, err
		}
	}
	if c.URL == "" {
		return c, errors.New("no URL")
	}
	return c, nil
}

func (c *Curl) option(name, value string) error {
	switch name {
	case "-X", "--request":
		c.Method = value
	case "-H", "--header":
		header, text, ok := strings.Cut(value, ":")
		if !ok {
			return fmt.Errorf("%q is no header", value)
		}
		c.Header = append(c.Header, [2]string{header, strings.TrimSpace(text)})
	case "-d", "--data":
		c.Body = value
	default:
		return fmt.Errorf("option %s is not understood", name)
	}
	return nil
}
