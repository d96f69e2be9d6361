package node

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// Report is one line from the node that starts to the command that waits.
type Report struct {
	// Say is a line of progress.
	Say string `json:"say,omitempty"`
	// Failed says what went wrong; nothing follows.
	Failed string `json:"failed,omitempty"`
	// Done is the last line of a start that worked.
	Done bool `json:"done,omitempty"`
}

// Reporter writes reports to the pipe that a starting process was given as its
// file 3. After the start nobody listens, and that is fine.
type Reporter struct {
	mu  sync.Mutex
	out *os.File
}

// reportFile is the number of the pipe in a started process.
const reportFile = 3

// InheritedReporter is the reporter of a process that was given a pipe.
func InheritedReporter() *Reporter {
	return &Reporter{out: os.NewFile(reportFile, "report")}
}

// NewReporter makes a pipe: the reporter hands its end to a started process,
// the reader is for Listen.
func NewReporter() (*Reporter, *os.File, error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("making a pipe: %w", err)
	}
	return &Reporter{out: writer}, reader, nil
}

// Files are the extra files of a process that is to report in our place.
func (r *Reporter) Files() []*os.File { return []*os.File{r.out} }

// Say reports progress.
func (r *Reporter) Say(format string, args ...any) {
	r.send(Report{Say: fmt.Sprintf(format, args...)})
}

// Fail reports the end of a start that failed.
func (r *Reporter) Fail(err error) {
	r.send(Report{Failed: err.Error()})
}

// Done reports the end of a start that worked and hangs up.
func (r *Reporter) Done() {
	r.send(Report{Done: true})
	r.Close()
}

// Close hangs up: the listener stops waiting when every holder has.
func (r *Reporter) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.out.Close()
}

func (r *Reporter) send(report Report) {
	line, err := json.Marshal(report)
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	_, _ = r.out.Write(append(line, '\n'))
}

// Listen hands every line of progress to say and returns when the start is
// over: nil when it worked.
func Listen(in io.Reader, say func(string)) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r Report
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return fmt.Errorf("the node reported %q: %w", lines.Text(), err)
		}
		switch {
		case r.Done:
			return nil
		case r.Failed != "":
			return errors.New(r.Failed)
		default:
			say(r.Say)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("listening to the node: %w", err)
	}
	return errors.New("the node stopped before it was up")
}
