package witness

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/lucid-blockchain/lucid/internal/bridge"
	"github.com/lucid-blockchain/lucid/internal/bridge/counterchain"
)

const (
	// maxBlocks is how many blocks are read in one slice, a question each.
	maxBlocks = 120
	// atOnce is how many of these questions are under way at the same time. Blocks
	// come every three seconds; a node that was out of reach must be caught up with.
	atOnce = 4
	// keyHeader carries the API key of TronGrid.
	keyHeader = "TRON-PRO-API-KEY"
)

// tron looks at a TRC-20 token. It reads the logs of whole blocks: what that costs
// does not depend on how many addresses there are, nor on what is sent to them. The
// lists that some providers have of an address's transfers know neither block nor log
// index, and need a question for each address and for each transfer.
type tron struct {
	*token
	client   *http.Client
	endpoint Endpoint
}

func newTRON(t *token, endpoint Endpoint) *tron {
	endpoint.URL = strings.TrimRight(endpoint.URL, "/")
	return &tron{token: t, client: newHTTPClient(http.DefaultTransport), endpoint: endpoint}
}

// Final implements bridge.Witness. Blocks are read from the API that has only those
// which the chain itself holds for irreversible, so that a block must be one of them
// too, however few confirmations are asked for.
func (w *tron) Final(ctx context.Context) (bridge.Block, error) {
	final, err := w.final(ctx)
	return final, w.unavailable(err)
}

func (w *tron) final(ctx context.Context) (bridge.Block, error) {
	if err := w.check(ctx, w.chainID, w.decimals); err != nil {
		return bridge.Block{}, err
	}
	head, err := ask(ctx, w, "/wallet/getnowblock", nil, parseTronBlock)
	if err != nil {
		return bridge.Block{}, err
	}
	solid, err := ask(ctx, w, "/walletsolidity/getnowblock", nil, parseTronBlock)
	if err != nil {
		return bridge.Block{}, err
	}
	height := min(w.deepest(head.Header.Raw.Number), solid.Header.Raw.Number)
	found, err := w.block(ctx, solidBlock, height)
	return bridge.Block{Number: height, At: found.at()}, err
}

// Payments implements bridge.Witness.
func (w *tron) Payments(ctx context.Context, to []string, after, until bridge.Block) ([]bridge.Payment, bridge.Block, error) {
	payments, reached, err := w.payments(ctx, to, after, until)
	return payments, reached, w.unavailable(err)
}

func (w *tron) payments(ctx context.Context, to []string, after, until bridge.Block) ([]bridge.Payment, bridge.Block, error) {
	if err := w.check(ctx, w.chainID, w.decimals); err != nil {
		return nil, bridge.Block{}, err
	}
	addresses, err := w.addresses(to)
	if err != nil || len(addresses) == 0 || after.Number >= until.Number {
		return nil, until, err
	}
	wanted := map[string]bool{}
	for _, address := range addresses {
		wanted[counterchain.FormatAddress(counterchain.TRON, address)] = true
	}
	blocks, err := w.blocks(ctx, after.Number+1, min(until.Number, after.Number+maxBlocks))
	if err != nil {
		return nil, bridge.Block{}, err
	}
	var payments []bridge.Payment
	for _, infos := range blocks {
		for _, info := range infos {
			payments = append(payments, w.transfers(info, wanted)...)
		}
	}
	payments, last := bounded(sortPayments(payments), after.Number+uint64(len(blocks)))
	if last == until.Number {
		return payments, until, nil
	}
	reached, err := w.block(ctx, solidBlock, last)
	return payments, bridge.Block{Number: last, At: reached.at()}, err
}

// blocks reads the transactions of the blocks from one to another, a few at once. When
// some can't be read, those before them are enough: the rest is for the next slice.
func (w *tron) blocks(ctx context.Context, from, last uint64) ([][]transactionInfo, error) {
	found, errs := make([][]transactionInfo, last-from+1), make([]error, last-from+1)
	failed := func(err error) bool { return err != nil }
	for start := 0; start < len(found) && !slices.ContainsFunc(errs, failed); start += atOnce {
		var group sync.WaitGroup
		for i := start; i < min(start+atOnce, len(found)); i++ {
			group.Go(func() { found[i], errs[i] = w.transactions(ctx, from+uint64(i)) })
		}
		group.Wait()
	}
	switch first := slices.IndexFunc(errs, failed); first {
	case -1:
		return found, nil
	case 0:
		return nil, errs[0]
	default:
		return found[:first], nil
	}
}

// transfers keeps those of a transaction's transfers that are asked for.
func (w *tron) transfers(info transactionInfo, wanted map[string]bool) []bridge.Payment {
	if info.failed() {
		return nil
	}
	var payments []bridge.Payment
	for i, log := range info.Log {
		payment, ok := w.transfer(log.entry())
		if !ok || !wanted[payment.To] {
			continue
		}
		payment.TxHash, payment.LogIndex = info.ID, uint32(i)
		payment.Block, payment.At = info.BlockNumber, time.UnixMilli(info.BlockTimeStamp).UTC()
		payments = append(payments, payment)
	}
	return payments
}

// transactionInfo is one of an answer of /walletsolidity/gettransactioninfobyblocknum.
type transactionInfo struct {
	ID             string    `json:"id"`
	BlockNumber    uint64    `json:"blockNumber"`
	BlockTimeStamp int64     `json:"blockTimeStamp"` // milliseconds
	Result         string    `json:"result"`         // FAILED, or absent
	Log            []tronLog `json:"log"`
	Receipt        struct {
		Result string `json:"result"`
	} `json:"receipt"`
}

func (i transactionInfo) failed() bool { return i.Result == "FAILED" || i.Receipt.Result != "SUCCESS" }

// tronLog is a log entry: hex without 0x, the address without its first byte 41.
type tronLog struct {
	Address hexBytes   `json:"address"`
	Topics  []hexBytes `json:"topics"`
	Data    hexBytes   `json:"data"`
}

func (l tronLog) entry() entry {
	e := entry{address: common.BytesToAddress(l.Address), data: l.Data}
	for _, topic := range l.Topics {
		e.topics = append(e.topics, common.BytesToHash(topic))
	}
	return e
}

func (l tronLog) wellFormed() bool {
	for _, topic := range l.Topics {
		if len(topic) != common.HashLength {
			return false
		}
	}
	return len(l.Address) == common.AddressLength
}

// hexBytes are bytes written in hex.
type hexBytes []byte

// UnmarshalText reads hex.
func (h *hexBytes) UnmarshalText(text []byte) error {
	raw, err := hex.DecodeString(string(text))
	*h = raw
	return err
}

// transactions asks for what the transactions of a block did. A node that does not
// have the block yet, since it lags behind the one that named it, answers like one
// whose block is empty: it is asked for the block too, lest payments be passed over
// for good.
func (w *tron) transactions(ctx context.Context, height uint64) ([]transactionInfo, error) {
	infos, err := ask(ctx, w, "/walletsolidity/gettransactioninfobyblocknum", map[string]any{"num": height}, parseTransactions)
	if err != nil {
		return nil, err
	}
	for _, info := range infos {
		if info.BlockNumber != height {
			return nil, errUnreadable
		}
	}
	if len(infos) > 0 {
		return infos, nil
	}
	found, err := w.block(ctx, solidBlock, height)
	if err == nil && len(found.Transactions) > 0 {
		err = errUnreadable
	}
	return nil, err
}

func parseTransactions(raw []byte) ([]transactionInfo, error) {
	var infos []transactionInfo
	if err := json.Unmarshal(raw, &infos); err != nil {
		return nil, errUnreadable
	}
	for _, info := range infos {
		if !isHash(info.ID) || slices.ContainsFunc(info.Log, func(l tronLog) bool { return !l.wellFormed() }) {
			return nil, errUnreadable
		}
	}
	return infos, nil
}

// The questions for a block by its height: any block, and one that is irreversible.
const (
	anyBlock   = "/wallet/getblockbynum"
	solidBlock = "/walletsolidity/getblockbynum"
)

// tronBlock is an answer of getnowblock and getblockbynum.
type tronBlock struct {
	Transactions []struct{} `json:"transactions"` // counted only
	ID           hexBytes   `json:"blockID"`
	Header       struct {
		Raw struct {
			Number    uint64 `json:"number"`    // absent of the genesis block
			Timestamp int64  `json:"timestamp"` // milliseconds
		} `json:"raw_data"`
	} `json:"block_header"`
}

func (b tronBlock) at() time.Time { return time.UnixMilli(b.Header.Raw.Timestamp).UTC() }

func parseTronBlock(raw []byte) (tronBlock, error) {
	var found tronBlock
	if err := json.Unmarshal(raw, &found); err != nil || len(found.ID) != common.HashLength {
		return tronBlock{}, errUnreadable
	}
	return found, nil
}

func (w *tron) block(ctx context.Context, path string, height uint64) (tronBlock, error) {
	found, err := ask(ctx, w, path, map[string]any{"num": height}, parseTronBlock)
	if err == nil && found.Header.Raw.Number != height {
		err = errUnreadable
	}
	return found, err
}

// chainID is the last four bytes of the genesis block's id, as TRON's own JSON-RPC
// answers eth_chainId: 728126428 on the main network.
func (w *tron) chainID(ctx context.Context) (uint64, error) {
	genesis, err := w.block(ctx, anyBlock, 0)
	if err != nil {
		return 0, err
	}
	return uint64(binary.BigEndian.Uint32(genesis.ID[common.HashLength-4:])), nil
}

// parseConstant reads an answer of /wallet/triggerconstantcontract.
func parseConstant(raw []byte) ([]byte, error) {
	var answer struct {
		Result []hexBytes `json:"constant_result"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return nil, errUnreadable
	}
	if len(answer.Result) != 1 {
		return nil, ErrWrongToken // no contract there, or none with such a function
	}
	return answer.Result[0], nil
}

func (w *tron) decimals(ctx context.Context) (uint64, error) {
	contract := counterchain.FormatAddress(counterchain.TRON, w.contract)
	answer, err := ask(ctx, w, "/wallet/triggerconstantcontract", map[string]any{
		"owner_address": contract, "contract_address": contract, "function_selector": "decimals()", "visible": true,
	}, parseConstant)
	if err != nil {
		return 0, err
	}
	return word(answer)
}

// ask sends one request and reads its answer.
func ask[T any](ctx context.Context, w *tron, path string, body map[string]any, parse func([]byte) (T, error)) (T, error) {
	var none T
	raw, err := w.send(ctx, path, body)
	if err != nil {
		return none, err
	}
	return parse(raw)
}

func (w *tron) send(ctx context.Context, path string, body map[string]any) ([]byte, error) {
	payload, err := json.Marshal(body)
	if err != nil {
		return nil, errUnreadable
	}
	if body == nil {
		payload = nil
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.endpoint.URL+path, bytes.NewReader(payload))
	if err != nil {
		return nil, errBadEndpoint
	}
	request.Header.Set("Content-Type", "application/json")
	if w.endpoint.APIKey != "" {
		request.Header.Set(keyHeader, w.endpoint.APIKey)
	}
	response, err := w.client.Do(request)
	if err != nil {
		return nil, plain(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, &statusError{status: response.StatusCode}
	}
	raw, err := io.ReadAll(response.Body)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, errTooLarge
	case err != nil:
		return nil, errUnreachable
	}
	return raw, nil
}

// isHash reports whether text is 32 bytes in lower-case hex.
func isHash(text string) bool {
	raw, err := hex.DecodeString(text)
	return err == nil && len(raw) == common.HashLength && text == strings.ToLower(text)
}
