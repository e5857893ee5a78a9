package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

var (
	errReconnect     = errors.New("the user has to connect Pleo again")
	errMisconfigured = errors.New("Pleo does not accept our client credentials")
)

const margin = time.Minute // before expiry, so that a call under way does not meet it

// connection hands out access tokens, and is the only place that refreshes them.
type connection struct {
	record        *record
	oauth         *oauthClient
	flight        sync.Mutex  // one refresh at a time; whoever waited looks at the record again
	misconfigured atomic.Bool // until the next start: only a new secret can help
}

func (c *connection) state() string {
	if state := c.record.state(); state != stateConnected || !c.misconfigured.Load() {
		return state
	}
	return "misconfigured"
}

// token returns an access token that is not the rejected one.
func (c *connection) token(ctx context.Context, rejected string) (string, error) {
	c.flight.Lock()
	defer c.flight.Unlock()
	t, generation, err := c.record.read()
	if err != nil {
		return "", err
	}
	stale := !t.expiresAt.IsZero() && time.Until(t.expiresAt) < margin
	if t.access != rejected && !stale {
		return t.access, nil
	}
	if c.misconfigured.Load() {
		return "", errMisconfigured
	}
	why := "expiry"
	if t.access == rejected {
		why = "rejected_by_api"
	}
	return c.refresh(ctx, t, generation, why)
}

func (c *connection) refresh(ctx context.Context, old tokens, generation int, why string) (string, error) {
	slog.Info("token refresh started", "why", why)
	fresh, err := c.oauth.refresh(ctx, old.refresh)
	var refused *refusal
	switch {
	case errors.As(err, &refused) && refused.code == "invalid_client":
		c.misconfigured.Store(true)
		slog.Error("token refresh failed", "error", refused.code, "http_status", refused.status, "hint", "client credentials were refused; configure the new secret")
		return "", errMisconfigured
	case errors.As(err, &refused):
		slog.Error("token refresh failed", "error", refused.code, "http_status", refused.status)
		return "", c.end(generation, refused.code)
	case err != nil:
		slog.Warn("token refresh failed", "error", err.Error(), "will_retry", true)
		return "", err
	}
	if fresh.refresh == "" {
		fresh.refresh = old.refresh
	}
	stored, err := c.record.rotate(generation, fresh)
	if err != nil {
		slog.Error("refreshed tokens could not be stored", "error", err.Error())
		return "", err
	}
	if !stored {
		return "", errors.New("the connection changed during a refresh")
	}
	slog.Info("token refresh succeeded")
	return fresh.access, nil
}

func (c *connection) end(generation int, reason string) error {
	ended, err := c.record.bury(generation, reason)
	if err != nil {
		slog.Error("the ended connection could not be recorded", "error", err.Error())
		return err
	}
	if ended {
		slog.Error("pleo connection revoked or expired", "reason", reason, "connection", "pleo")
		slog.Warn("reauthentication required", "connection", "pleo", "how", "the user follows /connect")
	}
	return errReconnect
}

// disconnect is the user's own wish.
func (c *connection) disconnect(ctx context.Context, api *pleo) error {
	_, generation, err := c.record.read()
	if errors.Is(err, errReconnect) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := api.do(ctx, http.MethodDelete, "/v1/installations/me", nil); err != nil {
		slog.Warn("pleo could not be told of the disconnect", "error", err.Error())
	}
	// The call may have refreshed: whatever is there now goes.
	if _, latest, err := c.record.read(); err == nil {
		generation = latest
	}
	_, err = c.record.bury(generation, "disconnected by the user")
	slog.Info("disconnected by the user")
	return err
}

// refusal is Pleo's considered no.
type refusal struct {
	code   string
	status int
}

func (r *refusal) Error() string { return fmt.Sprintf("refused: %s (%d)", r.code, r.status) }

// busy is Pleo's wish to be left alone for a while.
type busy struct {
	status int
	wait   time.Duration
}

func (b *busy) Error() string { return fmt.Sprintf("token endpoint answered %d without tokens", b.status) }

// retryAfter reads the header in seconds or as a date; no server can silence us for longer than a minute.
func retryAfter(value string) time.Duration {
	var wait time.Duration
	if seconds, err := strconv.Atoi(value); err == nil {
		wait = time.Duration(min(max(seconds, 0), 3600)) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = time.Until(at)
	}
	return min(max(wait, 0), time.Minute)
}

type oauthClient struct {
	authorizeURL, tokenURL, redirectURI, id, secret, scope string
	http                                                   *http.Client
}

func (o *oauthClient) authorize(state, verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return o.authorizeURL + "?" + url.Values{
		"response_type": {"code"}, "client_id": {o.id}, "redirect_uri": {o.redirectURI}, "scope": {o.scope}, "state": {state},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}.Encode()
}

func (o *oauthClient) exchange(ctx context.Context, code, verifier string) (tokens, error) {
	t, err := o.ask(ctx, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {o.redirectURI}, "code_verifier": {verifier}})
	if err == nil && t.refresh == "" {
		err = errors.New("no refresh token in the answer")
	}
	return t, err
}

func (o *oauthClient) refresh(ctx context.Context, token string) (tokens, error) {
	return o.ask(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

func (o *oauthClient) ask(ctx context.Context, form url.Values) (tokens, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, o.tokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return tokens{}, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	request.SetBasicAuth(url.QueryEscape(o.id), url.QueryEscape(o.secret))
	begun := time.Now()
	response, err := o.http.Do(request)
	if err != nil {
		return tokens{}, errors.New("token endpoint unreachable: " + cause(err))
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return tokens{}, errors.New("token endpoint answered in part: " + cause(err))
	}
	var answer struct {
		Access    string  `json:"access_token"`
		Refresh   string  `json:"refresh_token"`
		ExpiresIn float64 `json:"expires_in"`
		Error     string  `json:"error"`
	}
	readable := json.Unmarshal(raw, &answer) == nil
	transient := response.StatusCode >= 500 || response.StatusCode == http.StatusTooManyRequests || response.StatusCode == http.StatusRequestTimeout
	if readable && answer.Error != "" && !transient {
		return tokens{}, &refusal{answer.Error, response.StatusCode}
	}
	if wait := retryAfter(response.Header.Get("Retry-After")); transient && wait > 0 {
		return tokens{}, &busy{response.StatusCode, wait}
	}
	if response.StatusCode != http.StatusOK || !readable || answer.Access == "" {
		return tokens{}, fmt.Errorf("token endpoint answered %d without tokens", response.StatusCode)
	}
	t := tokens{access: answer.Access, refresh: answer.Refresh}
	if answer.ExpiresIn > 0 {
		t.expiresAt = begun.Add(time.Duration(answer.ExpiresIn * float64(time.Second))).UTC()
	}
	return t, nil
}

// cause drops the address that url.Error puts before it.
func cause(err error) string {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err.Error()
	}
	return err.Error()
}
