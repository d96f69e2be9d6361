package chain

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// maxTroubles bounds what is told of pods; the first few say it all.
const maxTroubles = 4

// troubles says for the end of a sentence why pods don't run, by the reasons that
// Kubernetes gives, such as ImagePullBackOff. It is empty where there are none.
func (r *Reconciler) troubles(ctx context.Context, s *scope) string {
	var pods corev1.PodList
	if err := r.Client.List(ctx, &pods, client.InNamespace(s.object.Namespace), client.MatchingLabels(nodeSelector(s.object))); err != nil {
		return "" // the cache is stopping
	}
	slices.SortFunc(pods.Items, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	var all []string
	for i := range pods.Items {
		if why := trouble(&pods.Items[i]); why != "" {
			all = append(all, "pod "+pods.Items[i].Name+": "+why)
		}
	}
	if len(all) > maxTroubles {
		all = append(all[:maxTroubles], "and others")
	}
	if len(all) == 0 {
		return ""
	}
	return "; " + strings.Join(all, ", ")
}

// trouble is why one pod does not run. Starting is none.
func trouble(pod *corev1.Pod) string {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return condition.Reason
		}
	}
	for _, container := range pod.Status.ContainerStatuses {
		waiting := container.State.Waiting
		if waiting != nil && waiting.Reason != "" && waiting.Reason != "ContainerCreating" && waiting.Reason != "PodInitializing" {
			return waiting.Reason + " of container " + container.Name
		}
	}
	return ""
}
