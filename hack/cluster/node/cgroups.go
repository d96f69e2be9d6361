package node

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Hierarchy is one mounted cgroup hierarchy and the place in it that the
// calling process is in.
type Hierarchy struct {
	// Mount is where the hierarchy is mounted.
	Mount string
	// Type is cgroup (version 1) or cgroup2.
	Type string
	// Options are the mount options that select it, such as "memory" or
	// "name=systemd"; empty in version 2.
	Options string
	// Own is the folder of the caller's own cgroup.
	Own string
}

// Hierarchies reads what the calling process is in.
func Hierarchies() ([]Hierarchy, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("reading the mounts: %w", err)
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, fmt.Errorf("reading the own cgroups: %w", err)
	}
	return parseHierarchies(strings.NewReader(string(mounts)), strings.NewReader(string(own)))
}

// parseHierarchies joins /proc/PID/mountinfo (where each hierarchy is mounted,
// and which of its folders is the mount's root) with /proc/PID/cgroup (which
// folder the process is in).
func parseHierarchies(mountinfo, cgroup io.Reader) ([]Hierarchy, error) {
	paths, err := parseOwnCgroups(cgroup)
	if err != nil {
		return nil, err
	}
	mounts, err := parseMounts(mountinfo)
	if err != nil {
		return nil, err
	}
	var found []Hierarchy
	for _, m := range mounts {
		path, ok := paths[m.Options]
		if !ok {
			continue
		}
		below, err := filepath.Rel(m.root, path)
		if err != nil || below == ".." || strings.HasPrefix(below, "../") {
			return nil, fmt.Errorf("the cgroup %s of this process is outside of the mount %s (root %s): run in the machine's own cgroup namespace",
				path, m.Mount, m.root)
		}
		m.Own = filepath.Join(m.Mount, below)
		found = append(found, m.Hierarchy)
	}
	if len(found) == 0 {
		return nil, errors.New("no cgroup hierarchy is mounted: mount cgroup2 at /sys/fs/cgroup")
	}
	return found, nil
}

// mounted is a hierarchy and the folder of it that its mount shows.
type mounted struct {
	Hierarchy
	root string
}

// parseMounts lists each mounted hierarchy once.
func parseMounts(mountinfo io.Reader) ([]mounted, error) {
	var found []mounted
	lines := bufio.NewScanner(mountinfo)
	for lines.Scan() {
		m, ok := parseMount(lines.Text())
		if !ok || slices.ContainsFunc(found, func(f mounted) bool { return f.Type == m.Type && f.Options == m.Options }) {
			continue
		}
		found = append(found, m)
	}
	return found, lines.Err()
}

// parseOwnCgroups maps the controllers of a line ("" for version 2), in mount
// option spelling, to the path.
func parseOwnCgroups(r io.Reader) (map[string]string, error) {
	paths := map[string]string{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fields := strings.SplitN(lines.Text(), ":", 3)
		if len(fields) != 3 {
			return nil, fmt.Errorf("cannot read the cgroup line %q", lines.Text())
		}
		paths[fields[1]] = fields[2]
	}
	return paths, lines.Err()
}

// parseMount reads one line of mountinfo; ok is false for other file systems.
// "34 31 0:31 /root /sys/fs/cgroup/cpu rw,relatime - cgroup none rw,cpu".
func parseMount(line string) (m mounted, ok bool) {
	before, after, found := strings.Cut(line, " - ")
	fields, tail := strings.Fields(before), strings.Fields(after)
	if !found || len(fields) < 5 || len(tail) < 3 || (tail[0] != "cgroup" && tail[0] != "cgroup2") {
		return mounted{}, false
	}
	m = mounted{Hierarchy: Hierarchy{Mount: unescape(fields[4]), Type: tail[0]}, root: unescape(fields[3])}
	if m.Type == "cgroup" {
		options := slices.DeleteFunc(strings.Split(tail[2], ","), func(o string) bool {
			return o == "rw" || o == "ro" || o == "xattr" || o == "clone_children" || strings.HasPrefix(o, "release_agent=")
		})
		m.Options = strings.Join(options, ",")
	}
	return m, true
}

// unescape undoes the octal escapes of mountinfo (a space is \040).
func unescape(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				out.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

// MakeCgroups makes one cgroup called name per hierarchy, below the caller's
// own, and returns their folders. What was made before an error is removed.
func MakeCgroups(hierarchies []Hierarchy, name string) (dirs []string, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, RemoveCgroups(dirs))
		}
	}()
	for _, h := range hierarchies {
		dir := filepath.Join(parentFor(h), name)
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return dirs, fmt.Errorf("making the cgroup %s: %w (the node needs root and a writable cgroup file system)", dir, err)
		}
		dirs = append(dirs, dir)
		if err := prepare(h, dir); err != nil {
			return dirs, err
		}
	}
	return dirs, nil
}

// parentFor is the caller's own cgroup. In version 2 a cgroup that holds
// processes cannot hand controllers down (all but the root), so there it is
// the nearest ancestor that can.
func parentFor(h Hierarchy) string {
	if h.Type != "cgroup2" {
		return h.Own
	}
	controllers, err := os.ReadFile(filepath.Join(h.Mount, "cgroup.controllers"))
	if err != nil || len(strings.Fields(string(controllers))) == 0 {
		return h.Own
	}
	for dir := h.Own; len(dir) > len(h.Mount); dir = filepath.Dir(dir) {
		if handDown(dir) == nil {
			return dir
		}
	}
	return h.Mount
}

// handDown enables every controller a version 2 cgroup has for its children.
func handDown(dir string) error {
	controllers, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return err
	}
	for _, c := range strings.Fields(string(controllers)) {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+c), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// prepare makes a fresh cgroup able to hold processes: a cpuset of version 1
// begins empty and takes nobody before it has processors and memory nodes.
func prepare(h Hierarchy, dir string) error {
	if !slices.Contains(strings.Split(h.Options, ","), "cpuset") {
		return nil
	}
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(filepath.Dir(dir), file))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, file), value, 0o644)
		}
		if err != nil {
			return fmt.Errorf("preparing the cgroup %s: %w", dir, err)
		}
	}
	return nil
}

// Enter moves the calling process into the cgroups.
func Enter(dirs []string) error {
	for _, dir := range dirs {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0o644); err != nil {
			return fmt.Errorf("entering the cgroup %s: %w", dir, err)
		}
	}
	return nil
}

// Own lists the caller's own cgroups, to go back to.
func Own(hierarchies []Hierarchy) []string {
	dirs := make([]string, 0, len(hierarchies))
	for _, h := range hierarchies {
		dirs = append(dirs, h.Own)
	}
	return dirs
}

// RemoveCgroups removes the cgroups and all below them. A cgroup stays busy
// for a moment after its last process died, so it is tried for a while.
func RemoveCgroups(dirs []string) error {
	deadline := time.Now().Add(10 * time.Second)
	for {
		var failed error
		for _, dir := range dirs {
			failed = errors.Join(failed, removeTree(dir))
		}
		if failed == nil || time.Now().After(deadline) {
			return failed
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// removeTree removes cgroups from the leaves up; their files go with them.
func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the cgroup %s: %w", dir, err)
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeTree(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	if err := unix.Rmdir(dir); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("removing the cgroup %s: %w", dir, err)
	}
	return nil
}
