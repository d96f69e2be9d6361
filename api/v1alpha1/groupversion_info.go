package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	// GroupVersion is the group and version of the kinds in this package.
	GroupVersion = schema.GroupVersion{Group: "lucid-blockchain.org", Version: "v1alpha1"}

	// SchemeBuilder registers the kinds.
	SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme adds the kinds to a scheme.
	AddToScheme = SchemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&LucidGateway{}, &LucidGatewayList{},
		&RateLimitPolicy{}, &RateLimitPolicyList{},
		&Chain{}, &ChainList{},
		&VirtualPool{}, &VirtualPoolList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
