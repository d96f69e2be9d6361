package policy

import (
	"fmt"
	"strconv"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

// Progress is how far a snapshot has come among the ready pods.
type Progress struct {
	Generation int64 // the snapshot's
	Ready      int   // pods that are ready
	Current    int   // of these, pods that report this generation or a later one
	Highest    int64 // the latest generation that any pod reports
}

// Complete reports whether every ready pod runs the generation, and there is one.
func (p Progress) Complete() bool { return p.Generation > 0 && p.Ready > 0 && p.Current == p.Ready }

// String says it as conditions do.
func (p Progress) String() string {
	return fmt.Sprintf("%d of %d pods at generation %d", p.Current, p.Ready, p.Generation)
}

// Observe counts which of a gateway's ready pods report at least generation. A
// pod reports by a Lease of its own name; a Lease without a pod is a leftover.
func Observe(generation int64, pods []corev1.Pod, leases []coordinationv1.Lease) Progress {
	progress := Progress{Generation: generation}
	reported := map[string]int64{}
	for i := range leases {
		at := Reported(&leases[i])
		reported[leases[i].Name] = at
		progress.Highest = max(progress.Highest, at)
	}
	for i := range pods {
		if !ready(&pods[i]) {
			continue
		}
		progress.Ready++
		if reported[pods[i].Name] >= generation {
			progress.Current++
		}
	}
	return progress
}

// Reported returns the generation a Lease reports; zero when it reports none.
func Reported(lease *coordinationv1.Lease) int64 {
	generation, err := strconv.ParseInt(lease.Annotations[snapshot.GenerationAnnotation], 10, 64)
	if err != nil || generation < 0 {
		return 0
	}
	return generation
}

func ready(pod *corev1.Pod) bool {
	if pod.DeletionTimestamp != nil {
		return false
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}
