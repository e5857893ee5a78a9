// Connects, refreshes twice and is refused, with golang.org/x/oauth2.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
	"strings"

	"golang.org/x/oauth2"
)

// consent gives what the user's browser is sent back with.
func consent(target string) (url.Values, error) {
	browser := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := browser.Get(target)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	back, err := answer.Location()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", answer.Status, err)
	}
	return back.Query(), nil
}

func run() (map[string]any, error) {
	ctx := context.Background()
	config := oauth2.Config{
		ClientID:     os.Getenv("CLIENT_ID"),
		ClientSecret: os.Getenv("CLIENT_SECRET"),
		RedirectURL:  os.Getenv("REDIRECT_URI"),
		Scopes:       strings.Fields(os.Getenv("SCOPES")),
		// The style is left to the library: it tries one and remembers it.
		Endpoint: oauth2.Endpoint{AuthURL: os.Getenv("AUTHORIZE_URL"), TokenURL: os.Getenv("TOKEN_URL")},
	}
	verifier, state := oauth2.GenerateVerifier(), oauth2.GenerateVerifier()
	back, err := consent(config.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier)))
	if err != nil {
		return nil, err
	}
	if back.Get("state") != state {
		return nil, errors.New("another state came back")
	}
	token, err := config.Exchange(ctx, back.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		return nil, err
	}
	calls := []int{}
	for turn := 0; ; turn++ {
		answer, err := config.Client(ctx, token).Get(os.Getenv("API_URL") + "/v2/employees")
		if err != nil {
			return nil, err
		}
		answer.Body.Close()
		calls = append(calls, answer.StatusCode)
		if turn == 2 {
			break
		}
		if token, err = refreshed(ctx, &config, token); err != nil {
			return nil, err
		}
	}
	fmt.Println(`{"waits": "revocation"}`)
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return nil, err
	}
	_, err = refreshed(ctx, &config, token)
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		return nil, fmt.Errorf("not a refusal: %w", err)
	}
	return map[string]any{"calls": calls, "error": refused.ErrorCode, "surfaced_as": fmt.Sprintf("%T", refused)}, nil
}

// refreshed makes the library believe that the token is over, which is the only way to have it refresh.
func refreshed(ctx context.Context, config *oauth2.Config, token *oauth2.Token) (*oauth2.Token, error) {
	return config.TokenSource(ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
}

func main() {
	told, err := run()
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(told); err != nil {
		log.Fatal(err)
	}
}
