package chain

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/reconcile"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
)

const (
	// maxPart is what one ConfigMap holds of the genesis: Kubernetes allows 1 MiB
	// with all keys, which is some 12 900 holders.
	maxPart = 768 << 10

	genesisSum   = genesisKey + ".sha256"
	genesisParts = "parts"
)

// document is what the operator needs to know of a genesis.
type document struct {
	hash       string
	parts      int // ConfigMaps beside the first; 0 where that one holds it all
	validators []ed25519.PublicKey
	authority  livechain.Address
}

// parsed remembers the document of the bytes that were read last: that of many
// holders takes long to parse, and never changes.
type parsed struct {
	sum [sha256.Size]byte
	document
}

// genesisMaps builds the ConfigMaps of the genesis document, which nobody may
// change. One that is too large lies in parts, which come before the map that
// counts them: while that is there, all are.
func genesisMaps(chain *lucidv1.Chain, doc []byte, hash string) []*corev1.ConfigMap {
	if len(doc) <= maxPart {
		return []*corev1.ConfigMap{genesisMap(chain, genesisName(chain.Name), map[string]string{genesisKey: string(doc)})}
	}
	var all []*corev1.ConfigMap
	for len(doc) > 0 {
		size := min(maxPart, len(doc))
		for size < len(doc) && !utf8.RuneStart(doc[size]) {
			size--
		}
		i := len(all)
		all = append(all, genesisMap(chain, partName(chain.Name, i), map[string]string{partKey(i): string(doc[:size])}))
		doc = doc[size:]
	}
	index := map[string]string{genesisSum: hash, genesisParts: strconv.Itoa(len(all))}
	return append(all, genesisMap(chain, genesisName(chain.Name), index))
}

func genesisMap(chain *lucidv1.Chain, name string, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: keptMeta(chain, name), Immutable: ptr.To(true), Data: data}
}

// readGenesis reads the document, if it is there. Its validators are the chain's
// at birth, whatever the spec says since.
func (r *Reconciler) readGenesis(ctx context.Context, s *scope) error {
	raw, parts, err := r.storedGenesis(ctx, s)
	if err != nil || raw == nil {
		return err
	}
	known, err := r.parse(client.ObjectKeyFromObject(s.object), raw)
	if err != nil {
		return err
	}
	known.parts = parts
	s.genesis, s.born = known, len(known.validators)
	return nil
}

// storedGenesis joins the parts. One that is gone makes the whole be built again.
func (r *Reconciler) storedGenesis(ctx context.Context, s *scope) (raw []byte, parts int, err error) {
	index, err := r.keptMap(ctx, s, genesisName(s.object.Name))
	if err != nil || index == nil {
		return nil, 0, err
	}
	if whole, found := index.Data[genesisKey]; found {
		return []byte(whole), 0, nil
	}
	if parts, err = strconv.Atoi(index.Data[genesisParts]); err != nil || parts < 1 {
		return nil, 0, s.spoilt(index.Name)
	}
	for i := range parts {
		part, err := r.keptMap(ctx, s, partName(s.object.Name, i))
		if err != nil || part == nil {
			return nil, 0, err
		}
		raw = append(raw, part.Data[partKey(i)]...)
	}
	if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != index.Data[genesisSum] {
		return nil, 0, s.spoilt(index.Name)
	}
	return raw, parts, nil
}

func (s *scope) spoilt(name string) error {
	return reconcile.Waiting(secretRetry, lucidv1.ReasonGenesisMismatch,
		"ConfigMap %q and its parts do not hold the chain's genesis; restore them, or delete them to have them built again", name)
}

// keptMap reads a ConfigMap that outlives the chain's object, nil when it is gone.
func (r *Reconciler) keptMap(ctx context.Context, s *scope, name string) (*corev1.ConfigMap, error) {
	present := &corev1.ConfigMap{}
	err := r.Client.Get(ctx, types.NamespacedName{Namespace: s.object.Namespace, Name: name}, present)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading the genesis: %w", err)
	case !s.owns(present):
		return nil, s.notOwned("ConfigMap", name)
	}
	return present, r.keep(ctx, s, present)
}

// parse reads a document once.
func (r *Reconciler) parse(chain client.ObjectKey, raw []byte) (*document, error) {
	sum := sha256.Sum256(raw)
	if last, found := r.documents.Load(chain); found && last.(*parsed).sum == sum {
		known := last.(*parsed).document
		return &known, nil
	}
	doc, hash, err := genesis.Parse(raw)
	if err != nil {
		return nil, err
	}
	var state struct {
		Authority livechain.Address `json:"authority"`
	}
	if err := json.Unmarshal(doc.AppState, &state); err != nil {
		return nil, fmt.Errorf("reading the genesis: %w", err)
	}
	known := document{hash: hash, authority: state.Authority}
	for _, v := range doc.Validators {
		known.validators = append(known.validators, v.PubKey.Bytes())
	}
	r.documents.Store(chain, &parsed{sum, known})
	return &known, nil
}

// ensureGenesis builds the document that is missing. What was recorded at
// graduation must come out again.
func (r *Reconciler) ensureGenesis(ctx context.Context, s *scope) error {
	if s.genesis == nil {
		if err := r.createGenesis(ctx, s); err != nil {
			return err
		}
	}
	if s.row.GenesisHash != nil && *s.row.GenesisHash != s.genesis.hash {
		return reconcile.Waiting(secretRetry, lucidv1.ReasonGenesisMismatch,
			"the genesis in ConfigMap %q is not the one that the ledger recorded; restore it", genesisName(s.object.Name))
	}
	return nil
}

func (r *Reconciler) createGenesis(ctx context.Context, s *scope) error {
	input, err := r.readInput(ctx, s)
	if err != nil {
		return err
	}
	raw, hash, err := genesis.BuildGenesis(input)
	if err != nil {
		return fmt.Errorf("building the genesis: %w", err)
	}
	if s.row.GenesisHash != nil && *s.row.GenesisHash != hash {
		return reconcile.Waiting(secretRetry, lucidv1.ReasonGenesisMismatch,
			"the genesis is gone, and what the ledger gives is not the one that it recorded; restore ConfigMap %q", genesisName(s.object.Name))
	}
	if !s.row.IsGraduated {
		if err := s.book.ReserveLiveID(ctx, s.id, input.ChainID); err != nil {
			return refusal(err)
		}
	}
	all := genesisMaps(s.object, raw, hash)
	for _, object := range all {
		if err := r.createPart(ctx, s, object); err != nil {
			return err
		}
	}
	if s.genesis, err = r.parse(client.ObjectKeyFromObject(s.object), raw); err != nil {
		return err
	}
	s.genesis.parts = len(all) - 1
	return nil
}

// createPart is content with what is there already, if it is the same.
func (r *Reconciler) createPart(ctx context.Context, s *scope, object *corev1.ConfigMap) error {
	err := r.Client.Create(ctx, object, FieldOwner)
	if err == nil {
		return nil
	}
	if !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("creating the genesis: %w", err)
	}
	present := &corev1.ConfigMap{}
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(object), present); err != nil {
		return fmt.Errorf("reading the genesis: %w", err)
	}
	switch {
	case !s.owns(present):
		return s.notOwned("ConfigMap", object.Name)
	case !maps.Equal(present.Data, object.Data):
		return s.spoilt(object.Name)
	}
	return nil
}

// partName is the ConfigMap of one part of a large genesis.
func partName(chain string, i int) string { return genesisName(chain) + "-" + strconv.Itoa(i) }

// partKey sorts as the parts do.
func partKey(i int) string { return fmt.Sprintf("%s.%04d", genesisKey, i) }

// genesisVolume holds the document, or what it is joined of.
func genesisVolume(chain string, parts int) corev1.Volume {
	if parts == 0 {
		return configVolume("genesis", genesisName(chain))
	}
	sources := []corev1.VolumeProjection{configItem(genesisName(chain), genesisSum)}
	for i := range parts {
		sources = append(sources, configItem(partName(chain, i), partKey(i)))
	}
	return corev1.Volume{Name: "genesis", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		Sources: sources, DefaultMode: ptr.To[int32](0o444),
	}}}
}

func configItem(configMap, key string) corev1.VolumeProjection {
	return corev1.VolumeProjection{ConfigMap: &corev1.ConfigMapProjection{
		LocalObjectReference: corev1.LocalObjectReference{Name: configMap}, Items: []corev1.KeyToPath{{Key: key, Path: key}},
	}}
}

// isGenesis reports a ConfigMap of a chain's genesis, by its name.
func isGenesis(name, chain string) bool {
	rest, found := strings.CutPrefix(name, genesisName(chain))
	return found && (rest == "" || rest[0] == '-')
}
