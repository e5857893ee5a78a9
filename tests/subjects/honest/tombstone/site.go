package main

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

type login struct {
	verifier, browser, back string
	begun                   time.Time
}

// site is what people and other programs see.
type site struct {
	conn     *connection
	oauth    *oauthClient
	api      *pleo
	queue    *queue
	ledger   *ledger
	settings string
	mu       sync.Mutex
	logins   map[string]login
}

func (s *site) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.home)
	mux.HandleFunc("GET /vouchers", s.vouchers)
	mux.HandleFunc("GET /status", s.status)
	mux.HandleFunc("GET /connect", s.connect)
	mux.HandleFunc("GET /callback", s.callback)
	mux.HandleFunc("POST /export", s.export)
	mux.HandleFunc("POST /disconnect", s.disconnect)
	mux.HandleFunc("GET /settings", s.showSettings)
	mux.HandleFunc("PUT /settings", s.saveSettings)
	return mux
}

var page = template.Must(template.New("home").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Ledger</title></head><body>
<h1>Ledger</h1>
{{if eq .State "connected"}}<p>Pleo is connected. Exports are booked as they come in.</p>
{{else if eq .State "not_connected"}}<p>Pleo is not connected yet.</p><p><a href="/connect">Connect Pleo</a></p>
{{else if eq .State "misconfigured"}}<p>Exports from Pleo are on hold. Our operators have been informed; there is nothing you need to do.</p>
{{else}}<p role="alert">Our access to Pleo has ended, so exports are on hold. Nothing is lost: reconnect, and they go on.</p>
<p><a href="/connect?back={{.Back}}">Reconnect Pleo</a></p>{{end}}
</body></html>
`))

func (s *site) home(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = page.Execute(w, map[string]string{"State": s.conn.state(), "Back": r.URL.RequestURI()})
}

func (s *site) status(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{"pleo": s.conn.state(), "waiting": s.queue.length()})
}

func (s *site) vouchers(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, s.ledger.numbers())
}

func (s *site) export(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusAccepted, map[string]any{"waiting": s.queue.add(), "pleo": s.conn.state()})
}

func (s *site) connect(w http.ResponseWriter, r *http.Request) {
	state, verifier, browser := random(), random(), random()
	back := r.URL.Query().Get("back")
	if !strings.HasPrefix(back, "/") || strings.HasPrefix(back, "//") || strings.Contains(back, "\\") {
		back = "/"
	}
	s.mu.Lock()
	for known, old := range s.logins {
		if time.Since(old.begun) > 10*time.Minute {
			delete(s.logins, known)
		}
	}
	s.logins[state] = login{verifier, browser, back, time.Now()}
	s.mu.Unlock()
	slog.Info("authorisation started", "connection", "pleo")
	http.SetCookie(w, &http.Cookie{Name: "login", Value: browser, Path: "/callback", HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: 600})
	http.Redirect(w, r, s.oauth.authorize(state, verifier), http.StatusFound)
}

func (s *site) callback(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	login, known := s.take(query.Get("state"), r)
	if !known {
		slog.Warn("callback with an unknown state refused")
		http.Error(w, "This sign-in was not begun here, or took too long. Please connect again.", http.StatusBadRequest)
		return
	}
	if query.Get("code") == "" {
		slog.Warn("authorisation not granted", "denied", query.Get("error") == "access_denied")
		http.Error(w, "Pleo was not connected. You can try again at any time.", http.StatusForbidden)
		return
	}
	fresh, err := s.oauth.exchange(r.Context(), query.Get("code"), login.verifier)
	if err == nil {
		err = s.conn.record.begin(fresh)
	}
	if err != nil {
		slog.Error("authorisation failed", "error", err.Error())
		http.Error(w, "Pleo could not be connected. Please try again.", http.StatusBadGateway)
		return
	}
	slog.Info("connected", "connection", "pleo")
	s.queue.nudge()
	http.Redirect(w, r, login.back, http.StatusSeeOther)
}

// take returns the login of this state, once, to the browser that began it.
func (s *site) take(state string, r *http.Request) (login, bool) {
	cookie, err := r.Cookie("login")
	s.mu.Lock()
	defer s.mu.Unlock()
	found, known := s.logins[state]
	if !known || err != nil || subtle.ConstantTimeCompare([]byte(cookie.Value), []byte(found.browser)) != 1 {
		return login{}, false
	}
	delete(s.logins, state)
	return found, time.Since(found.begun) < 10*time.Minute
}

func (s *site) disconnect(w http.ResponseWriter, r *http.Request) {
	if err := s.conn.disconnect(r.Context(), s.api); err != nil {
		http.Error(w, "The connection could not be removed. Please try again.", http.StatusInternalServerError)
		return
	}
	answer(w, http.StatusOK, map[string]string{"pleo": s.conn.state()})
}

func (s *site) showSettings(w http.ResponseWriter, _ *http.Request) {
	raw, err := os.ReadFile(s.settings)
	if err != nil {
		raw = []byte(`{"journal":"purchases","draft":false}`)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(raw)
}

func (s *site) saveSettings(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<16))
	if err != nil || !json.Valid(raw) {
		http.Error(w, "JSON, please", http.StatusBadRequest)
		return
	}
	if err := replaceFile(s.settings, raw); err != nil {
		http.Error(w, "The settings could not be saved.", http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func random() string {
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		panic(err) // the system has no randomness: nothing here would be safe
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}
