// Command tombstone books Pleo's export jobs into a small ledger. Work is queued in memory; a connection that ended
// stays on file as a tombstone that says when and why, without its tokens.
package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "show" {
		show()
		return
	}
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stdout, nil)))
	if err := serve(); err != nil {
		slog.Error("stopped", "error", err.Error())
		os.Exit(1)
	}
}

func serve() error {
	dir := os.Getenv("DATA_DIR")
	box, err := newBox(os.Getenv("SEAL_KEY"))
	if err != nil {
		return err
	}
	record, err := openRecord(filepath.Join(dir, "connection.json"), box)
	if err != nil {
		return err
	}
	ledger, err := openLedger(filepath.Join(dir, "ledger.json"))
	if err != nil {
		return err
	}
	client := &http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	oauth := &oauthClient{
		authorizeURL: os.Getenv("AUTHORIZE_URL"), tokenURL: os.Getenv("TOKEN_URL"), redirectURI: os.Getenv("REDIRECT_URI"),
		id: os.Getenv("CLIENT_ID"), secret: os.Getenv("CLIENT_SECRET"), scope: "export-jobs:read export-jobs:write export-items:read",
		http: client,
	}
	conn := &connection{record: record, oauth: oauth}
	api := &pleo{base: os.Getenv("API_URL"), conn: conn, http: client}
	queue := newQueue(&exporter{api: api, ledger: ledger}, conn)
	// What came up while this program was down is still listed at Pleo.
	queue.add()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	done := make(chan struct{})
	go func() { queue.work(ctx); close(done) }()

	site := &site{conn: conn, oauth: oauth, api: api, queue: queue, ledger: ledger, logins: map[string]login{}, settings: filepath.Join(dir, "settings.json")}
	server := &http.Server{Addr: "127.0.0.1:" + os.Getenv("PORT"), Handler: site.routes(), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		_ = server.Shutdown(grace)
	}()
	slog.Info("listening", "address", server.Addr, "connection", conn.state())
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	<-done
	return nil
}
