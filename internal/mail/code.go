package mail

import (
	"embed"
	"fmt"
	htmltemplate "html/template"
	"strings"
	texttemplate "text/template"
	"time"
)

//go:embed templates
var templates embed.FS

var (
	codeText = texttemplate.Must(texttemplate.ParseFS(templates, "templates/code.txt"))
	codeHTML = htmltemplate.Must(htmltemplate.ParseFS(templates, "templates/code.html"))
)

// Code is the mail that brings somebody a verification code. The code is in the
// subject too, where a phone shows it without opening the mail.
func Code(to, code string, lifetime time.Duration) (Message, error) {
	values := struct {
		Code    string
		Minutes int
	}{code, int(lifetime.Minutes())}
	var text, html strings.Builder
	if err := codeText.Execute(&text, values); err != nil {
		return Message{}, fmt.Errorf("write the mail: %w", err)
	}
	if err := codeHTML.Execute(&html, values); err != nil {
		return Message{}, fmt.Errorf("write the mail: %w", err)
	}
	return Message{To: to, Subject: code + " is your Lucid verification code", Text: text.String(), HTML: html.String()}, nil
}
