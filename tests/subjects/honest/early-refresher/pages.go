package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"html"
	"log"
	"net/http"
	"sort"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

type attempt struct {
	verifier, cookie string
	until            time.Time
}

func pages(keeper *keeper, store *store) http.Handler {
	var mu sync.Mutex
	attempts := map[string]attempt{}
	mux := http.NewServeMux()

	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, "<!doctype html><title>Staff list</title><h1>Staff list</h1>")
		switch status := keeper.status(); {
		case status == "ok":
			fmt.Fprint(w, "<p>The list follows Pleo by itself.</p>")
		case status == "new":
			fmt.Fprint(w, `<p><a href="/signin">Sign in with Pleo</a> to begin.</p>`)
		case strings.HasPrefix(status, "signed out"):
			fmt.Fprint(w, `<p><b>Your Pleo access has expired.</b> The list is no longer kept up to date. <a href="/signin">Sign in again</a></p>`)
		default:
			fmt.Fprint(w, "<p>There is a problem on our side. The list is not up to date.</p>")
		}
		fmt.Fprint(w, "<ul>")
		for _, name := range names(store) {
			fmt.Fprintf(w, "<li>%s</li>", html.EscapeString(name))
		}
		fmt.Fprint(w, "</ul>")
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "pleo %s\n", keeper.status())
	})
	mux.HandleFunc("GET /staff.txt", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, strings.Join(names(store), "\n"))
	})
	mux.HandleFunc("GET /signin", func(w http.ResponseWriter, r *http.Request) {
		state, begun := word(), attempt{oauth2.GenerateVerifier(), word(), time.Now().Add(10 * time.Minute)}
		mu.Lock()
		for known, old := range attempts {
			if time.Now().After(old.until) {
				delete(attempts, known)
			}
		}
		attempts[state] = begun
		mu.Unlock()
		log.Print("a sign-in has begun")
		http.SetCookie(w, &http.Cookie{Name: "attempt", Value: begun.cookie, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
		http.Redirect(w, r, keeper.config.AuthCodeURL(state, oauth2.S256ChallengeOption(begun.verifier)), http.StatusFound)
	})
	mux.HandleFunc("GET /signin/done", func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		cookie, _ := r.Cookie("attempt")
		mu.Lock()
		begun, known := attempts[query.Get("state")]
		known = known && cookie != nil && cookie.Value == begun.cookie && time.Now().Before(begun.until)
		if known {
			delete(attempts, query.Get("state"))
		}
		mu.Unlock()
		if !known {
			log.Print("WARNING a sign-in that nobody began was refused")
			http.Error(w, "This sign-in is not known here. Please begin again.", http.StatusForbidden)
			return
		}
		if query.Get("code") == "" {
			log.Print("a sign-in was given up")
			http.Redirect(w, r, "/", http.StatusFound)
			return
		}
		asked := time.Now()
		fresh, err := keeper.config.Exchange(withClient(r.Context()), query.Get("code"), oauth2.VerifierOption(begun.verifier))
		if err == nil && fresh.RefreshToken == "" {
			err = fmt.Errorf("no refresh token")
		}
		if err != nil {
			code, status := verdict(err)
			log.Printf("ERROR a sign-in failed: %s %s", code, plain(err, status))
			http.Error(w, "Pleo did not complete the sign-in. Please try again.", http.StatusBadGateway)
			return
		}
		if _, err := store.update(func(next *content) bool { put(next, fresh, asked); return true }); err != nil {
			log.Printf("ERROR new tokens could not be stored: %v", err)
			http.Error(w, "The sign-in could not be stored.", http.StatusInternalServerError)
			return
		}
		log.Print("signed in")
		http.Redirect(w, r, "/", http.StatusFound)
	})
	return mux
}

func names(store *store) []string {
	var names []string
	for _, name := range store.get().Employees {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func word() string {
	raw := make([]byte, 24)
	_, _ = rand.Read(raw) // never fails, and ends the program if the system has none
	return hex.EncodeToString(raw)
}
