package images

import (
	"os"
)

// The images of the local cluster. The domain is one that nobody can own
// (.local), so that a pull by accident reaches nothing.
const (
	ProductRepository = "lucid.local/lucid"
	Pause             = "lucid.local/pause:1"
	CoreDNS           = "lucid.local/coredns:1"
	MailCatcher       = "lucid.local/mailcatcher:1"
	// PostgresRepository is tagged with the major version.
	PostgresRepository = "lucid.local/postgres"
	// AgainSuffix ends a second tag of the product's image, so that what rolls pods
	// to another image can be tried with one build.
	AgainSuffix = "-again"
)

// nonRoot is the user of every image that needs no particular one.
const nonRoot = "65532:65532"

// authorities is where Debian and most others keep the certificates of the
// public authorities.
const authorities = "/etc/ssl/certs/ca-certificates.crt"

// Product is the image of lucid itself, as the Dockerfile makes it.
func Product(binary string) Image {
	return static("/lucid", binary)
}

// CoreDNSImage is the cluster's name server.
func CoreDNSImage(binary string) Image {
	return static("/coredns", binary)
}

// MailCatcherImage is the mail server of the local platform.
func MailCatcherImage(binary string) Image {
	return static("/mailcatcher", binary)
}

// PauseImage holds a pod's namespaces. It runs nothing else, so it has no
// certificates either.
func PauseImage(binary string) Image {
	return Image{Entrypoint: []string{"/pause"}, User: "65535:65535", Files: []File{{Path: "/pause", Source: binary, Mode: 0o755}}}
}

// static is an image of one program without any library.
func static(name, binary string) Image {
	return Image{
		Entrypoint: []string{name},
		Env:        []string{"PATH=/"},
		User:       nonRoot,
		Files: append(base(),
			File{Path: name, Source: binary, Mode: 0o755},
			File{Path: "/etc/passwd", Content: []byte("lucid:x:65532:65532::/:/nologin\n")},
			File{Path: "/etc/group", Content: []byte("lucid:x:65532:\n")}),
	}
}

// base are the files that most programs expect.
func base() []File {
	files := []File{{Path: "/tmp", Mode: 0o1777}}
	if _, err := os.Stat(authorities); err == nil {
		files = append(files, File{Path: authorities, Source: authorities, Mode: 0o644})
	}
	return files
}
