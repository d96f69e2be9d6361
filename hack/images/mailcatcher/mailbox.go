package main

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// message is one mail as it is shown.
type message struct {
	ID         int       `json:"id"` // counts up from 1
	From       string    `json:"from"`
	To         []string  `json:"to"`
	Subject    string    `json:"subject"`
	Text       string    `json:"text"`
	HTML       string    `json:"html"`
	ReceivedAt time.Time `json:"received_at"`
}

// mailbox keeps the last mails, oldest first. It is safe for concurrent use.
type mailbox struct {
	keep int

	mu       sync.Mutex
	last     int
	messages []message
}

// add numbers a mail and forgets the oldest beyond what is kept.
func (b *mailbox) add(m message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last++
	m.ID = b.last
	b.messages = append(b.messages, m)
	if extra := len(b.messages) - b.keep; extra > 0 {
		b.messages = slices.Delete(b.messages, 0, extra)
	}
}

// list returns the mails newest first, those to one address where it is given.
func (b *mailbox) list(to string) []message {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := []message{}
	for _, m := range slices.Backward(b.messages) {
		if to == "" || slices.ContainsFunc(m.To, func(a string) bool { return strings.EqualFold(a, to) }) {
			found = append(found, m)
		}
	}
	return found
}

func (b *mailbox) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.messages = nil
}
