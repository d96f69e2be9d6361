package chain

import (
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/store/db"
)

func insertParams(id uuid.UUID, d Definition, spec Spec, origin Origin) db.InsertChainParams {
	return db.InsertChainParams{
		ID: id, ChainName: d.ChainName, TokenSymbol: d.TokenSymbol, ChainDescription: d.Description,
		TemplateID: d.TemplateID, ConsensusMechanism: d.ConsensusMechanism,
		TokenTotalSupply:           int64(d.TokenTotalSupply),
		GraduationThreshold:        int64(d.GraduationThreshold),
		CreationFeeCnpy:            int64(d.CreationFee),
		InitialCnpyReserve:         int64(d.InitialCNPYReserve),
		InitialTokenSupply:         int64(d.InitialTokenSupply),
		CurveType:                  string(d.CurveType),
		BondingCurveSlope:          int64(d.BondingCurveSlope),
		FeeBasisPoints:             d.FeeBasisPoints,
		ValidatorMinStake:          int64(d.ValidatorMinStake),
		CreatorInitialPurchaseCnpy: int64(d.CreatorInitialPurchase),
		MaxBuyCnpy:                 int64(d.Limits.MaxBuy),
		AntiSnipeSeconds:           d.Limits.AntiSnipe.Seconds,
		AntiSnipeMaxBuyCnpy:        int64(d.Limits.AntiSnipe.MaxBuy),
		Direct:                     d.Direct,
		ScheduledLaunchTime:        spec.ScheduledLaunchTime,
		Status:                     string(Draft),
		CreatedBy:                  spec.CreatedBy,
		Origin:                     string(origin),
	}
}

func updateParams(id uuid.UUID, d Definition, creator uuid.UUID, at *time.Time) db.UpdateChainParams {
	return db.UpdateChainParams{
		ID: id, ChainName: d.ChainName, TokenSymbol: d.TokenSymbol, ChainDescription: d.Description,
		TemplateID: d.TemplateID, ConsensusMechanism: d.ConsensusMechanism,
		TokenTotalSupply:           int64(d.TokenTotalSupply),
		GraduationThreshold:        int64(d.GraduationThreshold),
		CreationFeeCnpy:            int64(d.CreationFee),
		InitialCnpyReserve:         int64(d.InitialCNPYReserve),
		InitialTokenSupply:         int64(d.InitialTokenSupply),
		CurveType:                  string(d.CurveType),
		BondingCurveSlope:          int64(d.BondingCurveSlope),
		FeeBasisPoints:             d.FeeBasisPoints,
		ValidatorMinStake:          int64(d.ValidatorMinStake),
		CreatorInitialPurchaseCnpy: int64(d.CreatorInitialPurchase),
		MaxBuyCnpy:                 int64(d.Limits.MaxBuy),
		AntiSnipeSeconds:           d.Limits.AntiSnipe.Seconds,
		AntiSnipeMaxBuyCnpy:        int64(d.Limits.AntiSnipe.MaxBuy),
		Direct:                     d.Direct,
		ScheduledLaunchTime:        at,
		CreatedBy:                  creator,
	}
}
