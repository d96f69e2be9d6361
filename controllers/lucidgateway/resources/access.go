package resources

import (
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/utils/ptr"

	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

// ServiceAccount builds the identity of the API pods.
func ServiceAccount(in Input) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{
		ObjectMeta:                   in.meta(in.Gateway.Name, ComponentAPI),
		AutomountServiceAccountToken: ptr.To(false), // pods that need the token ask for it
	}
}

// Role lets the API pods read one ConfigMap, their snapshot, and report on a
// Lease of their own. The names of Leases are the pods' and can't be listed here.
func Role(in Input) *rbacv1.Role {
	return &rbacv1.Role{
		ObjectMeta: in.meta(in.Gateway.Name, ComponentAPI),
		Rules: []rbacv1.PolicyRule{
			{
				APIGroups:     []string{""},
				Resources:     []string{"configmaps"},
				ResourceNames: []string{snapshot.ConfigMapName(in.Gateway.Name)},
				Verbs:         []string{"get", "list", "watch"},
			},
			{
				APIGroups: []string{"coordination.k8s.io"},
				Resources: []string{"leases"},
				Verbs:     []string{"create", "get", "update", "patch"},
			},
		},
	}
}

// RoleBinding gives Role to ServiceAccount.
func RoleBinding(in Input) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: in.meta(in.Gateway.Name, ComponentAPI),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: in.Gateway.Name},
		Subjects: []rbacv1.Subject{{
			Kind:      rbacv1.ServiceAccountKind,
			Name:      in.Gateway.Name,
			Namespace: in.Gateway.Namespace,
		}},
	}
}
