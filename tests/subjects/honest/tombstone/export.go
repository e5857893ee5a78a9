package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"sort"
	"sync"
	"time"
)

// pleo calls the resource API.
type pleo struct {
	base string
	conn *connection
	http *http.Client
}

// apiError is an answer that is neither success nor a matter of the token.
type apiError struct {
	status int
	path   string
}

func (e *apiError) Error() string { return fmt.Sprintf("pleo answered %d to %s", e.status, e.path) }

// do sends a call; one that is answered with 401 is repeated once with a new token.
func (p *pleo) do(ctx context.Context, method, path string, body any) ([]byte, error) {
	rejected := ""
	for attempt := 0; ; attempt++ {
		token, err := p.conn.token(ctx, rejected)
		if err != nil {
			return nil, err
		}
		status, raw, err := p.send(ctx, token, method, path, body)
		if err != nil {
			return nil, err
		}
		if status == http.StatusUnauthorized && attempt == 0 {
			slog.Info("access token rejected", "path", path)
			rejected = token
			continue
		}
		if status < 200 || status > 299 {
			return nil, &apiError{status, path}
		}
		return raw, nil
	}
}

func (p *pleo) send(ctx context.Context, token, method, path string, body any) (int, []byte, error) {
	var content io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		content = bytes.NewReader(raw)
	}
	request, err := http.NewRequestWithContext(ctx, method, p.base+path, content)
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := p.http.Do(request)
	if err != nil {
		return 0, nil, errors.New("pleo unreachable: " + cause(err))
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(response.Body, 8<<20))
	return response.StatusCode, raw, err
}

// list reads all pages.
func list[T any](ctx context.Context, p *pleo, path string, query url.Values) ([]T, error) {
	var all []T
	for {
		raw, err := p.do(ctx, http.MethodGet, path+"?"+query.Encode(), nil)
		if err != nil {
			return nil, err
		}
		var page struct {
			Data       []T `json:"data"`
			Pagination struct {
				HasNextPage bool   `json:"hasNextPage"`
				EndCursor   string `json:"endCursor"`
			} `json:"pagination"`
		}
		if err := json.Unmarshal(raw, &page); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, page.Data...)
		if !page.Pagination.HasNextPage || page.Pagination.EndCursor == "" {
			return all, nil
		}
		query.Set("after", page.Pagination.EndCursor)
	}
}

type job struct {
	ID     string `json:"id"`
	Status string `json:"status"`
}

type item struct {
	Entry  string `json:"accountingEntryId"`
	Status string `json:"status"`
}

// exporter does the jobs that Pleo lists, one after the other.
type exporter struct {
	api    *pleo
	ledger *ledger
}

func (e *exporter) run(ctx context.Context) error {
	jobs, err := list[job](ctx, e.api, "/v3/export-jobs", url.Values{"statuses": {"pending", "in_progress"}})
	if err != nil {
		return err
	}
	for _, job := range jobs {
		err := e.do(ctx, job)
		var answered *apiError
		if errors.As(err, &answered) && (answered.status == http.StatusNotFound || answered.status == http.StatusUnprocessableEntity) {
			slog.Warn("export job is gone", "job", job.ID, "http_status", answered.status)
			continue
		}
		if err != nil {
			return err
		}
		slog.Info("export job done", "job", job.ID)
	}
	return nil
}

func (e *exporter) do(ctx context.Context, job job) error {
	if job.Status == "pending" {
		if err := e.tell(ctx, job.ID, "started"); err != nil {
			return err
		}
	}
	path := "/v3/export-jobs/" + url.PathEscape(job.ID) + "/items"
	items, err := list[item](ctx, e.api, path, url.Values{"limit": {"100"}})
	if err != nil {
		return err
	}
	var open []string
	for _, item := range items {
		if item.Status == "pending" || item.Status == "in_progress" {
			open = append(open, item.Entry)
		}
	}
	if err := e.ledger.book(open); err != nil {
		return err
	}
	unreported := e.ledger.unreported(open)
	for len(unreported) > 0 {
		batch := unreported[:min(100, len(unreported))]
		unreported = unreported[len(batch):]
		updates := make([]map[string]string, 0, len(batch))
		for _, id := range batch {
			voucher := e.ledger.voucher(id)
			updates = append(updates, map[string]string{"accountingEntryId": id, "status": "successful", "externalId": voucher.Number, "exportedAt": voucher.At.Format(time.RFC3339)})
		}
		if _, err := e.api.do(ctx, http.MethodPut, path, updates); err != nil {
			return err
		}
		if err := e.ledger.report(batch); err != nil {
			return err
		}
	}
	return e.tell(ctx, job.ID, "completed")
}

func (e *exporter) tell(ctx context.Context, job, event string) error {
	_, err := e.api.do(ctx, http.MethodPost, "/v3/export-job-events", map[string]string{"jobId": job, "event": event})
	return err
}

// queue holds requests for an export in memory. Losing it costs nothing: Pleo still lists what is pending, and a start looks.
type queue struct {
	mu       sync.Mutex
	waiting  int
	wake     chan struct{}
	exporter *exporter
	conn     *connection
}

func newQueue(exporter *exporter, conn *connection) *queue {
	return &queue{wake: make(chan struct{}, 1), exporter: exporter, conn: conn}
}

func (q *queue) add() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting++
	q.nudge()
	return q.waiting
}

// nudge makes the worker look; used after a reconnection.
func (q *queue) nudge() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting
}

func (q *queue) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-q.wake:
			q.drain(ctx)
		}
	}
}

// drain serves all that wait with one export; what fails in passing is tried a few more times, further and further apart.
func (q *queue) drain(ctx context.Context) {
	const attempts = 4
	for attempt := 1; ; attempt++ {
		serving := q.length()
		if serving == 0 || q.conn.state() != stateConnected {
			return
		}
		err := q.exporter.run(ctx)
		if err == nil {
			q.mu.Lock()
			q.waiting -= serving
			q.mu.Unlock()
			slog.Info("export finished", "requests", serving)
			return
		}
		if errors.Is(err, errReconnect) || errors.Is(err, errMisconfigured) {
			slog.Warn("export held", "waiting", serving, "reason", err.Error())
			return
		}
		if ctx.Err() != nil {
			return
		}
		if attempt == attempts {
			slog.Error("export given up until it is asked for again", "error", err.Error())
			return
		}
		pause := time.Second << (attempt - 1)
		var asked *busy
		if errors.As(err, &asked) {
			pause = max(pause, asked.wait)
		}
		slog.Warn("export failed", "error", err.Error(), "next_attempt_in", pause.String())
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

type voucher struct {
	Number   string    `json:"number"`
	At       time.Time `json:"at"`
	Reported bool      `json:"reported"`
}

// ledger is the books: a file of vouchers by accounting entry.
type ledger struct {
	mu       sync.Mutex
	path     string
	vouchers map[string]voucher
}

func openLedger(path string) (*ledger, error) {
	l := &ledger{path: path, vouchers: map[string]voucher{}}
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return l, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &l.vouchers)
	}
	return l, err
}

// book gives each entry a voucher once.
func (l *ledger) book(entries []string) error {
	return l.change(func() {
		for _, id := range entries {
			if _, booked := l.vouchers[id]; !booked {
				l.vouchers[id] = voucher{Number: fmt.Sprintf("V-%05d", len(l.vouchers)+1), At: time.Now().UTC()}
			}
		}
	})
}

func (l *ledger) report(entries []string) error {
	return l.change(func() {
		for _, id := range entries {
			v := l.vouchers[id]
			v.Reported = true
			l.vouchers[id] = v
		}
	})
}

func (l *ledger) change(how func()) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	how()
	raw, err := json.Marshal(l.vouchers)
	if err != nil {
		return err
	}
	return replaceFile(l.path, raw)
}

func (l *ledger) unreported(entries []string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var left []string
	for _, id := range entries {
		if !l.vouchers[id].Reported {
			left = append(left, id)
		}
	}
	return left
}

func (l *ledger) voucher(id string) voucher {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.vouchers[id]
}

func (l *ledger) numbers() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	numbers := make([]string, 0, len(l.vouchers))
	for _, v := range l.vouchers {
		numbers = append(numbers, v.Number)
	}
	sort.Strings(numbers)
	return numbers
}
