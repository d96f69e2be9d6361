package volumes

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	storagelisters "k8s.io/client-go/listers/storage/v1"
	"k8s.io/client-go/tools/cache"
)

func claim(class string) *corev1.PersistentVolumeClaim {
	return &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "lucid", Name: "data", UID: "u-1"},
		Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: &class,
			AccessModes:      []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:        corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
	}
}

func class(name, provisioner string) *storagev1.StorageClass {
	return &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Provisioner: provisioner}
}

func TestWhichClaimsAreOurs(t *testing.T) {
	indexer := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{})
	for _, known := range []*storagev1.StorageClass{class("standard", Provisioner), class("other", "example.org/other")} {
		if err := indexer.Add(known); err != nil {
			t.Fatal(err)
		}
	}
	c := &Controller{classes: storagelisters.NewStorageClassLister(indexer)}
	bound, going, unset := claim("standard"), claim("standard"), claim("standard")
	bound.Spec.VolumeName = "pv"
	going.DeletionTimestamp = &metav1.Time{Time: time.Now()}
	unset.Spec.StorageClassName = nil
	for reason, tt := range map[string]struct {
		claim *corev1.PersistentVolumeClaim
		want  bool
	}{
		"a claim of our class waits":                    {claim("standard"), true},
		"a claim of another's class is not ours":        {claim("other"), false},
		"a claim of a class that is not there waits on": {claim("absent"), false},
		"a claim that has a volume does not wait":       {bound, false},
		"a claim on its way out gets nothing more":      {going, false},
		"a claim without a class is served by hand":     {unset, false},
	} {
		if c.waits(tt.claim) != tt.want {
			t.Errorf("%s: got %v", reason, !tt.want)
		}
	}
}

// TestLifeOfAVolume follows a claim through the controller as it runs.
func TestLifeOfAVolume(t *testing.T) {
	machine := t.TempDir()
	client := fake.NewClientset(claim("standard"), class("standard", Provisioner))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- New(client, machine, "/node", logr.Discard()).Run(ctx) }()
	volumes := client.CoreV1().PersistentVolumes()
	var volume *corev1.PersistentVolume
	eventually(t, "a waiting claim gets a volume", func() (err error) {
		volume, err = volumes.Get(ctx, "pvc-u-1", metav1.GetOptions{})
		return err
	})
	dir := filepath.Join(machine, "pvc-u-1")
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o777 {
		t.Errorf("its folder is there and open to a pod of any user: %v, %v", info, err)
	}
	if volume.Spec.HostPath.Path != "/node/pvc-u-1" || volume.Spec.ClaimRef.UID != "u-1" || volume.Spec.StorageClassName != "standard" ||
		!volume.Spec.Capacity.Storage().Equal(resource.MustParse("1Gi")) {
		t.Errorf("the volume fits the claim: %+v", volume.Spec)
	}
	volume.Status.Phase = corev1.VolumeReleased
	if _, err := volumes.UpdateStatus(ctx, volume, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := client.CoreV1().PersistentVolumeClaims("lucid").Delete(ctx, "data", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a released volume goes, its folder first", func() error {
		if _, err := os.Stat(dir); err == nil {
			return os.ErrExist
		}
		return nil
	})
	cancel()
	<-ended
}

func TestVolumesToKeepAreKept(t *testing.T) {
	volume := New(nil, "", "/node", logr.Discard()).volumeFor(claim("standard"))
	volume.Status.Phase = corev1.VolumeReleased
	if !released(volume) {
		t.Error("a released volume is removed")
	}
	volume.Spec.PersistentVolumeReclaimPolicy = corev1.PersistentVolumeReclaimRetain
	if released(volume) {
		t.Error("one that its owner wants retained is not")
	}
	volume.Spec.PersistentVolumeReclaimPolicy = corev1.PersistentVolumeReclaimDelete
	volume.Annotations = nil
	if released(volume) {
		t.Error("one that somebody else made is not ours to remove")
	}
}

func eventually(t *testing.T, reason string, try func() error) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", reason, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
