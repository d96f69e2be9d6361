// Package volumes serves PersistentVolumeClaims of the local cluster from
// folders of the node: it makes a folder and a hostPath volume for each claim
// and removes both when a claim's volume is released.
package volumes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	storagelisters "k8s.io/client-go/listers/storage/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

// Provisioner is the name the StorageClass calls this controller by.
const Provisioner = "lucid-blockchain.org/node-folder"

// volumeAnnotation tells Kubernetes and us whose a volume is.
const volumeAnnotation = "pv.kubernetes.io/provisioned-by"

// Controller provisions volumes.
type Controller struct {
	client kubernetes.Interface
	// machine is the folder of the volumes on the machine, node is the same
	// folder as the kubelet sees it.
	machine, node string
	log           logr.Logger
	claims        corelisters.PersistentVolumeClaimLister
	volumes       corelisters.PersistentVolumeLister
	classes       storagelisters.StorageClassLister
	queue         workqueue.TypedRateLimitingInterface[string]
}

// New makes a controller for the volumes below the folder called machine,
// which the kubelet sees as node.
func New(client kubernetes.Interface, machine, node string, log logr.Logger) *Controller {
	return &Controller{client: client, machine: machine, node: node, log: log}
}

// pass is the one key of the queue: each pass looks at everything. There are
// few claims, all of them in memory.
const pass = "pass"

// Run works until the context ends.
func (c *Controller) Run(ctx context.Context) error {
	factory := informers.NewSharedInformerFactory(c.client, 0)
	core := factory.Core().V1()
	c.claims, c.volumes = core.PersistentVolumeClaims().Lister(), core.PersistentVolumes().Lister()
	classes := factory.Storage().V1().StorageClasses()
	c.classes = classes.Lister()
	c.queue = workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[string](100*time.Millisecond, 10*time.Second))
	wake := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { c.queue.Add(pass) },
		UpdateFunc: func(any, any) { c.queue.Add(pass) },
		DeleteFunc: func(any) { c.queue.Add(pass) },
	}
	for _, informer := range []cache.SharedIndexInformer{
		core.PersistentVolumeClaims().Informer(), core.PersistentVolumes().Informer(), classes.Informer(),
	} {
		if _, err := informer.AddEventHandler(wake); err != nil {
			return fmt.Errorf("watching claims, volumes and classes: %w", err)
		}
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	stop := context.AfterFunc(ctx, c.queue.ShutDown)
	defer stop()
	for c.next(ctx) {
	}
	return ctx.Err()
}

func (c *Controller) next(ctx context.Context) bool {
	key, quit := c.queue.Get()
	if quit {
		return false
	}
	defer c.queue.Done(key)
	if err := c.reconcile(ctx); err != nil {
		c.log.Error(err, "serving volumes; trying again")
		c.queue.AddRateLimited(key)
		return true
	}
	c.queue.Forget(key)
	return true
}

// reconcile serves every claim that waits and clears every volume that is
// released. One that fails does not hold up the others.
func (c *Controller) reconcile(ctx context.Context) error {
	claims, err := c.claims.List(labels.Everything())
	if err != nil {
		return fmt.Errorf("listing claims: %w", err)
	}
	volumes, err := c.volumes.List(labels.Everything())
	if err != nil {
		return fmt.Errorf("listing volumes: %w", err)
	}
	var failed error
	for _, claim := range claims {
		if c.waits(claim) {
			failed = errors.Join(failed, c.provision(ctx, claim))
		}
	}
	for _, volume := range volumes {
		if released(volume) {
			failed = errors.Join(failed, c.remove(ctx, volume))
		}
	}
	return failed
}

// waits tells whether a claim is ours to serve: its class names us. Kubernetes
// also puts our name on the claim, but up to fifteen seconds later when its own
// writes collide.
func (c *Controller) waits(claim *corev1.PersistentVolumeClaim) bool {
	if claim.Spec.VolumeName != "" || claim.DeletionTimestamp != nil || claim.Spec.StorageClassName == nil {
		return false
	}
	class, err := c.classes.Get(*claim.Spec.StorageClassName)
	return err == nil && class.Provisioner == Provisioner
}

func released(volume *corev1.PersistentVolume) bool {
	return volume.Annotations[volumeAnnotation] == Provisioner && volume.Status.Phase == corev1.VolumeReleased &&
		volume.Spec.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimDelete && volume.DeletionTimestamp == nil
}

func (c *Controller) provision(ctx context.Context, claim *corev1.PersistentVolumeClaim) error {
	volume := c.volumeFor(claim)
	dir := filepath.Join(c.machine, volume.Name)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("making the folder of a volume: %w", err)
	}
	// Kubernetes gives no hostPath to a pod's group, so every user may write.
	if err := os.Chmod(dir, 0o777); err != nil {
		return fmt.Errorf("opening the folder of a volume to pods: %w", err)
	}
	_, err := c.client.CoreV1().PersistentVolumes().Create(ctx, volume, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("making a volume for %s/%s: %w", claim.Namespace, claim.Name, err)
	}
	c.log.Info("volume made", "claim", claim.Namespace+"/"+claim.Name, "volume", volume.Name)
	return nil
}

// volumeFor names the volume after the claim's UID, so that a pass that was
// interrupted or comes too early makes no second one.
func (c *Controller) volumeFor(claim *corev1.PersistentVolumeClaim) *corev1.PersistentVolume {
	name := "pvc-" + string(claim.UID)
	kind := corev1.HostPathDirectory
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{volumeAnnotation: Provisioner}},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:                      claim.Spec.Resources.Requests.DeepCopy(),
			AccessModes:                   claim.Spec.AccessModes,
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
			StorageClassName:              *claim.Spec.StorageClassName,
			ClaimRef: &corev1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim",
				Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID, ResourceVersion: claim.ResourceVersion,
			},
			PersistentVolumeSource: corev1.PersistentVolumeSource{
				HostPath: &corev1.HostPathVolumeSource{Path: filepath.Join(c.node, name), Type: &kind},
			},
		},
	}
}

// remove deletes the folder first: an object that is gone would leave nobody
// who knows of the folder.
func (c *Controller) remove(ctx context.Context, volume *corev1.PersistentVolume) error {
	if err := os.RemoveAll(filepath.Join(c.machine, volume.Name)); err != nil {
		return fmt.Errorf("removing the folder of a volume: %w", err)
	}
	err := c.client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("deleting the volume %s: %w", volume.Name, err)
	}
	c.log.Info("volume removed", "volume", volume.Name)
	return nil
}
