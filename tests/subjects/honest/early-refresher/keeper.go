package main

import (
	"context"
	"errors"
	"log"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

var (
	errSignIn = errors.New("a sign-in at Pleo is needed")
	errClient = errors.New("Pleo rejects our client id or secret")
	errBusy   = errors.New("the token endpoint wants to be left alone for a while")
)

// keeper owns the tokens: it hands them out, and replaces them when they are a few minutes old, so that nobody ever waits for it.
type keeper struct {
	config *oauth2.Config
	store  *store
	maxAge time.Duration
	one    sync.Mutex // held while tokens are being replaced
	broken bool       // guarded by one: the client itself was refused
	until  time.Time  // guarded by one: Pleo wants to be left alone until then
	pause  time.Duration
}

// watch replaces the tokens in good time, whether anybody uses them or not.
func (k *keeper) watch(ctx context.Context) {
	every(ctx, k.maxAge/4, func(ctx context.Context) {
		if _, err := k.token(ctx, ""); err != nil && !errors.Is(err, errSignIn) && !errors.Is(err, errClient) {
			k.rest(ctx)
		} else {
			k.pause = 0
		}
	})
}

// rest waits longer after each failure in a row.
func (k *keeper) rest(ctx context.Context) {
	k.pause = min(max(2*k.pause, time.Second), time.Minute)
	select {
	case <-ctx.Done():
	case <-time.After(k.pause):
	}
}

func (k *keeper) status() string {
	now := k.store.get()
	switch {
	case now.Linked && k.isBroken():
		return "error: client credentials"
	case now.Linked:
		return "ok"
	case now.Lost != "":
		return "signed out: " + now.Lost
	default:
		return "new"
	}
}

func (k *keeper) isBroken() bool {
	if !k.one.TryLock() {
		return false // it is being found out
	}
	defer k.one.Unlock()
	return k.broken
}

// token returns an access token other than the rejected one.
func (k *keeper) token(ctx context.Context, rejected string) (string, error) {
	k.one.Lock()
	defer k.one.Unlock()
	now := k.store.get()
	if !now.Linked {
		return "", errSignIn
	}
	if k.broken {
		return "", errClient
	}
	old := time.Since(now.Obtained) >= k.maxAge
	over := !now.Expires.IsZero() && time.Until(now.Expires) < 10*time.Second
	if now.AccessToken != rejected && !old && !over {
		return now.AccessToken, nil
	}
	fresh, err := "", errBusy
	if time.Now().After(k.until) {
		fresh, err = k.replace(ctx, now)
	}
	if err == nil {
		return fresh, nil
	}
	// A token that is merely old still serves while the token endpoint rests.
	if now.AccessToken != rejected && !over && !errors.Is(err, errSignIn) && !errors.Is(err, errClient) {
		return now.AccessToken, nil
	}
	return "", err
}

func (k *keeper) replace(ctx context.Context, now content) (string, error) {
	// Whoever asked may go away; an answer that holds new tokens must still be read.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	log.Print("refreshing the tokens")
	asked := time.Now()
	fresh, err := k.config.TokenSource(withClient(ctx), &oauth2.Token{RefreshToken: now.RefreshToken}).Token()
	if err != nil {
		return "", k.failed(now.Serial, err)
	}
	kept, err := k.store.update(func(next *content) bool {
		if !next.Linked || next.Serial != now.Serial {
			return false // signed in or out meanwhile
		}
		put(next, fresh, asked)
		return true
	})
	if err != nil {
		log.Printf("refreshed tokens could not be stored: %v", err)
		return "", err
	}
	if !kept {
		return "", errors.New("the tokens were replaced by a sign-in meanwhile")
	}
	log.Print("tokens refreshed")
	return fresh.AccessToken, nil
}

func (k *keeper) failed(serial int, err error) error {
	code, status := verdict(err)
	switch {
	case code == "":
		log.Printf("WARNING refresh failed, will be tried again: %s", plain(err, status))
		k.until = time.Now().Add(patience(err))
		return errors.New("the token endpoint gave no answer that could be used")
	case code == "invalid_client":
		log.Printf("ERROR refresh failed: %s (status %d): check CLIENT_ID and CLIENT_SECRET", code, status)
		k.broken = true
		return errClient
	}
	log.Printf("ERROR refresh failed: %s (status %d)", code, status)
	ended, err := k.store.update(func(next *content) bool {
		if !next.Linked || next.Serial != serial {
			return false
		}
		*next = content{Lost: code, Serial: serial + 1, Employees: next.Employees}
		return true
	})
	if err != nil {
		log.Printf("ERROR the end of the access could not be stored: %v", err)
		return err
	}
	if ended {
		log.Print("ERROR access to Pleo was revoked or has expired, tokens deleted")
		log.Print("WARNING reauthentication required: waiting for a user to sign in at /signin")
	}
	return errSignIn
}

// put takes new tokens over. Pleo always sends a new refresh token; the library keeps the old one where none came.
func put(next *content, fresh *oauth2.Token, asked time.Time) {
	next.Linked, next.Lost = true, ""
	next.AccessToken, next.RefreshToken = fresh.AccessToken, fresh.RefreshToken
	next.Obtained, next.Expires = asked.UTC(), fresh.Expiry.UTC()
	next.Serial++
}

// verdict is the OAuth error of a definite refusal; empty where another attempt may succeed.
func verdict(err error) (string, int) {
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) || refused.Response == nil {
		return "", 0
	}
	status := refused.Response.StatusCode
	if status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout {
		return "", status
	}
	return refused.ErrorCode, status
}

// patience is how long Pleo wants to be left alone; a minute at most.
func patience(err error) time.Duration {
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) || refused.Response == nil {
		return 0
	}
	value := refused.Response.Header.Get("Retry-After")
	var wait time.Duration
	if seconds, err := strconv.Atoi(value); err == nil {
		wait = time.Duration(min(max(seconds, 0), 60)) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = time.Until(at)
	}
	return min(max(wait, 0), time.Minute)
}

// plain describes a failure without its body, which may quote tokens.
func plain(err error, status int) string {
	if status != 0 {
		return http.StatusText(status)
	}
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return "timeout"
	}
	return "no usable answer"
}

var client = &http.Client{
	Timeout:       10 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func withClient(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, client)
}
