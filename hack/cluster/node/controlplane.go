package node

// The command lines of the control plane. Everything listens inside of the
// node's own network only.

func program(name string) string { return inside + "/bin/" + name }

func identity(name string) string { return inside + "/pki/" + name }

func etcd() daemon {
	const client, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
	return daemon{name: "etcd", path: program("etcd"), args: []string{
		"--data-dir=" + inside + "/etcd",
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=default=" + peer,
		// The cluster does not outlive the machine's boot, so nothing is lost
		// by leaving the disk's cache alone, and writes are ten times faster.
		"--unsafe-no-fsync",
	}}
}

func apiServer() daemon {
	return daemon{name: "kube-apiserver", path: program("kube-apiserver"), args: []string{
		"--etcd-servers=http://127.0.0.1:2379",
		"--advertise-address=" + Address, "--bind-address=0.0.0.0", "--secure-port=6443",
		"--service-cluster-ip-range=" + Services,
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
		"--client-ca-file=" + identity("ca.crt"),
		"--tls-cert-file=" + identity("kube-apiserver.crt"), "--tls-private-key-file=" + identity("kube-apiserver.key"),
		"--kubelet-client-certificate=" + identity("apiserver-to-kubelet.crt"),
		"--kubelet-client-key=" + identity("apiserver-to-kubelet.key"),
		"--kubelet-certificate-authority=" + identity("ca.crt"),
		"--kubelet-preferred-address-types=InternalIP,Hostname",
		"--service-account-key-file=" + identity("service-accounts.pub"),
		"--service-account-signing-key-file=" + identity("service-accounts.key"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--requestheader-client-ca-file=" + identity("ca.crt"), "--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + identity("apiserver-front-proxy.crt"),
		"--proxy-client-key-file=" + identity("apiserver-front-proxy.key"),
		"--audit-policy-file=" + inside + "/config/audit-policy.yaml", "--audit-log-path=" + inside + "/log/audit.log",
		"--audit-log-mode=batch", "--audit-log-batch-max-wait=1s",
	}}
}

func controllerManager() daemon {
	return daemon{name: "kube-controller-manager", path: program("kube-controller-manager"), args: append(
		kubeconfigs("kube-controller-manager"),
		"--service-account-private-key-file="+identity("service-accounts.key"), "--root-ca-file="+identity("ca.crt"),
		"--cluster-signing-cert-file="+identity("ca.crt"), "--cluster-signing-key-file="+identity("ca.key"),
		"--use-service-account-credentials",
		// A claim whose binding collides with another write waits for a round.
		"--pvclaimbinder-sync-period=2s",
		"--allocate-node-cidrs", "--cluster-cidr="+PodRange, "--service-cluster-ip-range="+Services,
	)}
}

func scheduler() daemon {
	return daemon{name: "kube-scheduler", path: program("kube-scheduler"), args: kubeconfigs("kube-scheduler")}
}

// kubeconfigs are the flags the two controllers share. There is one of each,
// so they need no election.
func kubeconfigs(name string) []string {
	file := identity(name + ".kubeconfig")
	return []string{
		"--kubeconfig=" + file, "--authentication-kubeconfig=" + file, "--authorization-kubeconfig=" + file,
		"--bind-address=127.0.0.1", "--leader-elect=false",
	}
}

func kubelet() daemon {
	return daemon{name: "kubelet", path: program("kubelet"), args: []string{
		"--config=" + inside + "/config/kubelet.yaml", "--kubeconfig=" + identity("kubelet.kubeconfig"),
		"--hostname-override=" + Name, "--node-ip=" + Address,
		"--root-dir=" + inside + "/kubelet", "--cert-dir=" + inside + "/kubelet/pki",
	}}
}

func kubeProxy() daemon {
	return daemon{name: "kube-proxy", path: program("kube-proxy"), args: []string{"--config=" + inside + "/config/kube-proxy.yaml"}}
}

// Programs are the tools the node runs.
var Programs = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"}
