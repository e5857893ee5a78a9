// Command early-refresher keeps a list of Pleo's employees up to date by a timer, and its tokens fresh long before they expire.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/oauth2"
)

func main() {
	log.SetFlags(log.LstdFlags | log.LUTC | log.Lmsgprefix)
	store, err := openStore(os.Getenv("STATE_DIRECTORY"), os.Getenv("STORE_KEY"))
	if err != nil {
		log.Fatalf("store: %v", err)
	}
	if len(os.Args) > 1 && os.Args[1] == "dump" {
		fmt.Printf("%+v\n", store.get())
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()

	keeper := &keeper{store: store, maxAge: duration("TOKEN_MAX_AGE", 5*time.Minute), config: &oauth2.Config{
		ClientID: os.Getenv("CLIENT_ID"), ClientSecret: os.Getenv("CLIENT_SECRET"), RedirectURL: os.Getenv("REDIRECT_URI"),
		Scopes: []string{"users:read"},
		// Stated, so that the library does not try one way after the other.
		Endpoint: oauth2.Endpoint{AuthURL: os.Getenv("AUTHORIZE_URL"), TokenURL: os.Getenv("TOKEN_URL"), AuthStyle: oauth2.AuthStyleInHeader},
	}}
	sync := &syncer{keeper: keeper, store: store, api: os.Getenv("API_URL")}
	go every(ctx, duration("SYNC_EVERY", 15*time.Minute), sync.run)
	go keeper.watch(ctx)

	server := &http.Server{Addr: "127.0.0.1:" + os.Getenv("PORT"), Handler: pages(keeper, store), ReadHeaderTimeout: 5 * time.Second}
	go func() {
		<-ctx.Done()
		shut, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = server.Shutdown(shut)
	}()
	log.Printf("serving on %s", server.Addr)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatalf("http: %v", err)
	}
	// New tokens that are on their way must be kept before the end: the old ones are spent.
	keeper.one.Lock()
}

func every(ctx context.Context, period time.Duration, do func(context.Context)) {
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			do(ctx)
		}
	}
}

func duration(name string, otherwise time.Duration) time.Duration {
	if parsed, err := time.ParseDuration(os.Getenv(name)); err == nil && parsed > 0 {
		return parsed
	}
	return otherwise
}
