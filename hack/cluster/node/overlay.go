package node

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// snapshotter is overlayfs where the node's folder can be a layer of it. It
// cannot where that is itself an overlay, as in many containers.
func snapshotter() string {
	base, err := os.MkdirTemp(inside, "overlay-")
	if err != nil {
		return "native"
	}
	defer func() { _ = os.RemoveAll(base) }()
	if tryOverlay(base) {
		return "overlayfs"
	}
	return "native"
}

// tryOverlay tells whether an overlay can be mounted with its layers in base.
func tryOverlay(base string) bool {
	for _, dir := range []string{"lower", "upper", "work", "merged"} {
		if err := os.Mkdir(filepath.Join(base, dir), 0o755); err != nil {
			return false
		}
	}
	options := fmt.Sprintf("lowerdir=%[1]s/lower,upperdir=%[1]s/upper,workdir=%[1]s/work", base)
	merged := filepath.Join(base, "merged")
	if err := unix.Mount("overlay", merged, "overlay", 0, options); err != nil {
		return false
	}
	return unix.Unmount(merged, unix.MNT_DETACH) == nil
}
