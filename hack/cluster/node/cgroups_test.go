package node

import (
	"slices"
	"strings"
	"testing"
)

const hybridMounts = `23 1 254:0 / / rw,relatime - ext4 /dev/vda rw
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs none rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup none rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup none rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime shared:9 - cgroup none rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 none rw,nsdelegate
`

var hierarchyTests = []struct {
	reason         string
	mounts, cgroup string
	want           []Hierarchy
	refused        string
}{
	{
		reason: "each hierarchy has its own place, and the caller may be deep in one and at the root of the next",
		mounts: hybridMounts,
		cgroup: "9:name=systemd:/\n4:memory:/process/47f8\n2:cpu,cpuacct:/a\n0::/\n",
		want: []Hierarchy{
			{Mount: "/sys/fs/cgroup/cpu,cpuacct", Type: "cgroup", Options: "cpu,cpuacct", Own: "/sys/fs/cgroup/cpu,cpuacct/a"},
			{Mount: "/sys/fs/cgroup/memory", Type: "cgroup", Options: "memory", Own: "/sys/fs/cgroup/memory/process/47f8"},
			{Mount: "/sys/fs/cgroup/systemd", Type: "cgroup", Options: "name=systemd", Own: "/sys/fs/cgroup/systemd"},
			{Mount: "/sys/fs/cgroup/unified", Type: "cgroup2", Own: "/sys/fs/cgroup/unified"},
		},
	},
	{
		reason: "a machine with version 2 alone has one hierarchy without options",
		mounts: "30 20 0:26 / /sys/fs/cgroup rw - cgroup2 none rw,nsdelegate,memory_recursiveprot\n",
		cgroup: "0::/user.slice/user-0.slice/session-1.scope\n",
		want: []Hierarchy{{
			Mount: "/sys/fs/cgroup", Type: "cgroup2", Own: "/sys/fs/cgroup/user.slice/user-0.slice/session-1.scope",
		}},
	},
	{
		reason: "where the mount shows a folder of the hierarchy, the path counts from there",
		mounts: "30 20 0:26 /docker/abc /sys/fs/cgroup/memory rw - cgroup none rw,memory\n",
		cgroup: "4:memory:/docker/abc/inner\n",
		want:   []Hierarchy{{Mount: "/sys/fs/cgroup/memory", Type: "cgroup", Options: "memory", Own: "/sys/fs/cgroup/memory/inner"}},
	},
	{
		reason: "a hierarchy that is mounted twice is used once",
		mounts: "30 20 0:26 / /a rw - cgroup2 none rw\n31 20 0:26 / /b rw - cgroup2 none rw\n",
		cgroup: "0::/x\n",
		want:   []Hierarchy{{Mount: "/a", Type: "cgroup2", Own: "/a/x"}},
	},
	{
		reason: "a space in a mount point is written as an octal escape",
		mounts: `30 20 0:26 / /my\040cgroups rw - cgroup2 none rw` + "\n",
		cgroup: "0::/\n",
		want:   []Hierarchy{{Mount: "/my cgroups", Type: "cgroup2", Own: "/my cgroups"}},
	},
	{
		reason:  "a process outside of what the mount shows could not make a cgroup below its own",
		mounts:  "30 20 0:26 /docker/abc /sys/fs/cgroup rw - cgroup2 none rw\n",
		cgroup:  "0::/elsewhere\n",
		refused: "outside of the mount",
	},
	{
		reason:  "without any hierarchy there are no pods, and the error says what to do",
		mounts:  "23 1 254:0 / / rw - ext4 /dev/vda rw\n",
		cgroup:  "0::/\n",
		refused: "mount cgroup2",
	},
	{
		reason:  "a line that is no cgroup line is not guessed at",
		mounts:  hybridMounts,
		cgroup:  "nonsense\n",
		refused: "cannot read the cgroup line",
	},
}

func TestParseHierarchies(t *testing.T) {
	for _, tt := range hierarchyTests {
		got, err := parseHierarchies(strings.NewReader(tt.mounts), strings.NewReader(tt.cgroup))
		if tt.refused != "" {
			if err == nil || !strings.Contains(err.Error(), tt.refused) {
				t.Errorf("%s: got error %v, want one with %q", tt.reason, err, tt.refused)
			}
			continue
		}
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s:\ngot  %+v (%v)\nwant %+v", tt.reason, got, err, tt.want)
		}
	}
}

func FuzzParseHierarchies(f *testing.F) {
	f.Add(hybridMounts, "4:memory:/a\n0::/\n")
	f.Add(`1 2 3 \04 \777 - cgroup2 x y`, "0::/\n")
	f.Fuzz(func(t *testing.T, mounts, cgroup string) {
		got, err := parseHierarchies(strings.NewReader(mounts), strings.NewReader(cgroup))
		if err == nil && len(got) == 0 {
			t.Error("neither a hierarchy nor an error")
		}
	})
}

func TestMakeCgroupsTakesBackWhatItMade(t *testing.T) {
	// A plain folder stands for a hierarchy: cgroups are made as folders are.
	own := t.TempDir()
	dirs, err := MakeCgroups([]Hierarchy{{Mount: own, Type: "cgroup", Options: "memory", Own: own}}, "lucid-test")
	if err != nil || len(dirs) != 1 || dirs[0] != own+"/lucid-test" {
		t.Fatalf("the node's cgroup lies below the caller's own: got %v, %v", dirs, err)
	}
	broken := Hierarchy{Mount: own, Type: "cgroup", Options: "cpu", Own: own + "/missing"}
	if _, err := MakeCgroups([]Hierarchy{{Mount: own, Type: "cgroup", Options: "memory", Own: own}, broken}, "lucid-test"); err == nil {
		t.Fatal("a cgroup that cannot be made is an error")
	}
	if err := RemoveCgroups(dirs); err != nil {
		t.Errorf("removing what is gone already is no error: %v", err)
	}
	if err := removeTree(own + "/lucid-test"); err != nil {
		t.Errorf("the half-made start left a cgroup behind: %v", err)
	}
}
