package main

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// content is everything this program keeps.
type content struct {
	Linked       bool
	Lost         string // why the access ended, if it did
	AccessToken  string
	RefreshToken string
	Obtained     time.Time
	Expires      time.Time // zero if unknown
	Serial       int       // of the tokens
	Employees    map[string]string
}

type store struct {
	mu   sync.Mutex
	file string
	aead cipher.AEAD
	now  content
}

func openStore(dir, key string) (*store, error) {
	raw, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	s := &store{file: filepath.Join(dir, "store.enc"), aead: aead}
	sealed, err := os.ReadFile(s.file)
	if os.IsNotExist(err) {
		return s, nil
	}
	if err != nil || len(sealed) < aead.NonceSize() {
		return nil, fmt.Errorf("%s cannot be read: %w", s.file, err)
	}
	plain, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], nil)
	if err != nil {
		return nil, err
	}
	return s, json.Unmarshal(plain, &s.now)
}

func (s *store) get() content {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// update changes the content if the change wants to; what is in memory is always on disk.
func (s *store) update(change func(*content) bool) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.now
	if !change(&next) {
		return false, nil
	}
	plain, err := json.Marshal(next)
	if err != nil {
		return false, err
	}
	nonce := make([]byte, s.aead.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return false, err
	}
	temporary := s.file + ".tmp"
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return false, err
	}
	_, err = file.Write(s.aead.Seal(nonce, nonce, plain, nil))
	if err == nil {
		err = file.Sync()
	}
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(temporary, s.file)
	}
	if err != nil {
		return false, err
	}
	s.now = next
	return true, nil
}
