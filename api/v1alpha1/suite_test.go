package v1alpha1_test

import (
	"os"
	"testing"

	"github.com/lucid-blockchain/lucid/internal/kubetest"
)

func TestMain(m *testing.M) { os.Exit(kubetest.Run(m)) }
