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
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/lucid-blockchain/lucid/internal/bridge"
	"github.com/lucid-blockchain/lucid/internal/bridge/counterchain"
)

const (
	pageSize = 200 // the most that TronGrid gives at once
	maxPages = 50  // of one address in one look
	// listLag is by how many blocks the list of transfers may trail, a minute's.
	listLag = 20
	// keyHeader carries the API key of TronGrid.
	keyHeader = "TRON-PRO-API-KEY"
)

// tron looks at a TRC-20 token. The list of an address's transfers only says which
// transactions to look at: it has neither block nor log index, so that two equal
// transfers of one transaction could not be told apart. What counts is the
// transaction's own log.
type tron struct {
	*token
	client   *http.Client
	endpoint Endpoint
}

func newTRON(t *token, endpoint Endpoint) *tron {
	endpoint.URL = strings.TrimRight(endpoint.URL, "/")
	return &tron{token: t, client: newHTTPClient(http.DefaultTransport), endpoint: endpoint}
}

// Final implements bridge.Witness. The list of transfers shows only blocks that
// the chain itself holds for irreversible, and trails even these: a block is final
// here once it is that old too, or a payment in it might never be told.
func (w *tron) Final(ctx context.Context) (bridge.Block, error) {
	final, err := w.final(ctx)
	return final, w.unavailable(err)
}

func (w *tron) final(ctx context.Context) (bridge.Block, error) {
	if err := w.check(ctx, w.chainID, w.decimals); err != nil {
		return bridge.Block{}, err
	}
	head, err := ask(ctx, w, http.MethodPost, "/wallet/getnowblock", nil, parseTronBlock)
	if err != nil {
		return bridge.Block{}, err
	}
	solid, err := ask(ctx, w, http.MethodPost, "/walletsolidity/getnowblock", nil, parseTronBlock)
	if err != nil {
		return bridge.Block{}, err
	}
	height := min(w.deepest(head.Header.Raw.Number), solid.Header.Raw.Number-min(solid.Header.Raw.Number, listLag))
	found, err := w.block(ctx, height)
	return bridge.Block{Number: height, At: found.at()}, err
}

// Payments implements bridge.Witness.
func (w *tron) Payments(ctx context.Context, to []string, after, until bridge.Block) ([]bridge.Payment, error) {
	payments, err := w.payments(ctx, to, after, until)
	return payments, w.unavailable(err)
}

func (w *tron) payments(ctx context.Context, to []string, after, until bridge.Block) ([]bridge.Payment, error) {
	if err := w.check(ctx, w.chainID, w.decimals); err != nil {
		return nil, err
	}
	addresses, err := w.addresses(to)
	if err != nil {
		return nil, err
	}
	wanted, listed := map[string]bool{}, map[string]bool{}
	for _, address := range addresses {
		text := counterchain.FormatAddress(counterchain.TRON, address)
		wanted[text] = true
		if err := w.list(ctx, text, after.At, until.At, listed); err != nil {
			return nil, err
		}
	}
	var payments []bridge.Payment
	for id := range listed {
		info, err := w.transaction(ctx, id)
		if err != nil {
			return nil, err
		}
		if info.BlockNumber > after.Number && info.BlockNumber <= until.Number {
			payments = append(payments, w.transfers(info, wanted)...)
		}
	}
	return sortPayments(payments), nil
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

// transferPage is an answer of /v1/accounts/{address}/transactions/trc20.
type transferPage struct {
	Data []struct {
		TransactionID string `json:"transaction_id"`
		Type          string `json:"type"`
		To            string `json:"to"`
		Value         string `json:"value"`
	} `json:"data"`
	Success bool `json:"success"`
	Meta    struct {
		Fingerprint string `json:"fingerprint"`
	} `json:"meta"`
}

// list adds the transactions in which the address got some of the token between
// the two times, both included.
func (w *tron) list(ctx context.Context, address string, since, until time.Time, listed map[string]bool) error {
	query := url.Values{
		"only_confirmed":   {"true"},
		"only_to":          {"true"},
		"contract_address": {counterchain.FormatAddress(counterchain.TRON, w.contract)},
		"min_timestamp":    {milliseconds(since)},
		"max_timestamp":    {milliseconds(until)},
		"order_by":         {"block_timestamp,asc"},
		"limit":            {strconv.Itoa(pageSize)},
	}
	path := "/v1/accounts/" + address + "/transactions/trc20"
	for range maxPages {
		page, err := ask(ctx, w, http.MethodGet, path+"?"+query.Encode(), nil, parsePage)
		if err != nil {
			return err
		}
		for _, id := range page.transactions(address) {
			listed[id] = true
		}
		if page.Meta.Fingerprint == "" {
			return nil
		}
		if page.Meta.Fingerprint == query.Get("fingerprint") {
			return errUnreadable // it would go on for ever
		}
		query.Set("fingerprint", page.Meta.Fingerprint)
	}
	return errTooMany
}

func milliseconds(at time.Time) string { return strconv.FormatInt(max(0, at.UnixMilli()), 10) }

// transactions leaves out what moved nothing: such transfers are sent to people so
// that they copy a wrong address, and each would cost a question of its own.
func (p transferPage) transactions(to string) []string {
	var ids []string
	for _, item := range p.Data {
		if item.Type == "Transfer" && item.To == to && strings.Trim(item.Value, "0") != "" {
			ids = append(ids, item.TransactionID)
		}
	}
	return ids
}

func parsePage(raw []byte) (transferPage, error) {
	var page transferPage
	if err := json.Unmarshal(raw, &page); err != nil || !page.Success {
		return transferPage{}, errUnreadable
	}
	for _, item := range page.Data {
		if !isHash(item.TransactionID) {
			return transferPage{}, errUnreadable
		}
	}
	return page, nil
}

// transactionInfo is an answer of /wallet/gettransactioninfobyid.
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
	ok := len(l.Address) == common.AddressLength
	for _, topic := range l.Topics {
		ok = ok && len(topic) == common.HashLength
	}
	return ok
}

// hexBytes are bytes written in hex.
type hexBytes []byte

// UnmarshalText reads hex.
func (h *hexBytes) UnmarshalText(text []byte) error {
	raw, err := hex.DecodeString(string(text))
	*h = raw
	return err
}

// transaction asks for a transaction's log. A node that knows nothing of it, since
// it lags behind the one that listed it, gives an empty object: that is an error,
// lest the payment be passed over for good.
func (w *tron) transaction(ctx context.Context, id string) (transactionInfo, error) {
	info, err := ask(ctx, w, http.MethodPost, "/wallet/gettransactioninfobyid", map[string]any{"value": id}, parseTransaction)
	if err != nil {
		return info, err
	}
	if info.ID != id {
		return info, errUnreadable
	}
	return info, nil
}

func parseTransaction(raw []byte) (transactionInfo, error) {
	var info transactionInfo
	if err := json.Unmarshal(raw, &info); err != nil {
		return transactionInfo{}, errUnreadable
	}
	for _, log := range info.Log {
		if !log.wellFormed() {
			return transactionInfo{}, errUnreadable
		}
	}
	return info, nil
}

// tronBlock is an answer of /wallet/getnowblock and /wallet/getblockbynum.
type tronBlock struct {
	ID     hexBytes `json:"blockID"`
	Header struct {
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

func (w *tron) block(ctx context.Context, height uint64) (tronBlock, error) {
	found, err := ask(ctx, w, http.MethodPost, "/wallet/getblockbynum", map[string]any{"num": height}, parseTronBlock)
	if err == nil && found.Header.Raw.Number != height {
		err = errUnreadable
	}
	return found, err
}

// chainID is the last four bytes of the genesis block's id, as TRON's own JSON-RPC
// answers eth_chainId: 728126428 on the main network.
func (w *tron) chainID(ctx context.Context) (uint64, error) {
	genesis, err := w.block(ctx, 0)
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
	answer, err := ask(ctx, w, http.MethodPost, "/wallet/triggerconstantcontract", map[string]any{
		"owner_address": contract, "contract_address": contract, "function_selector": "decimals()", "visible": true,
	}, parseConstant)
	if err != nil {
		return 0, err
	}
	return word(answer)
}

// ask sends one request and reads its answer.
func ask[T any](ctx context.Context, w *tron, method, path string, body map[string]any, parse func([]byte) (T, error)) (T, error) {
	var none T
	raw, err := w.send(ctx, method, path, body)
	if err != nil {
		return none, err
	}
	return parse(raw)
}

func (w *tron) send(ctx context.Context, method, path string, body map[string]any) ([]byte, error) {
	payload, err := json.Marshal(body)
	if err != nil {
		return nil, errUnreadable
	}
	if body == nil {
		payload = nil
	}
	request, err := http.NewRequestWithContext(ctx, method, w.endpoint.URL+path, bytes.NewReader(payload))
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
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, errUnreadable
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
