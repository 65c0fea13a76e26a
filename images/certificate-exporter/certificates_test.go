package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func made(t *testing.T, ends time.Time) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	wanted := &x509.Certificate{
		SerialNumber: big.NewInt(0x1f),
		Subject:      pkix.Name{CommonName: `a "quoted" name`},
		NotAfter:     ends,
	}
	content, err := x509.CreateCertificate(rand.Reader, wanted, wanted, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: content}))
}

func file(t *testing.T, entries ...entry) string {
	t.Helper()
	content, err := json.Marshal(entries)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "certificates.json")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func asked(t *testing.T, name, path string) (int, string) {
	t.Helper()
	reply := httptest.NewRecorder()
	handler(name, 30*24*time.Hour).ServeHTTP(reply, httptest.NewRequest(http.MethodGet, path, nil))
	return reply.Code, reply.Body.String()
}

func TestEachCertificateHasItsEndAndTheTimeFromWhichItShouldBeRotated(t *testing.T) {
	ends := time.Unix(1_800_000_000, 0)
	name := file(t, entry{Name: "gateway", Namespace: "edge", Kind: "server", Certificate: made(t, ends)})
	code, text := asked(t, name, "/metrics")
	labels := `{certificate="gateway",namespace="edge",kind="server"`
	for _, line := range []string{
		"omnibase_certificate_not_after_timestamp_seconds" + labels + "} 1800000000",
		"omnibase_certificate_renew_after_timestamp_seconds" + labels + "} 1797408000",
		"omnibase_certificate_info" + labels + `,serial="1f",issuer="a \"quoted\" name"} 1`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("%q is not in\n%s", line, text)
		}
	}
	if code != http.StatusOK {
		t.Errorf("status %d", code)
	}
}

func TestACertificateThatCannotBeReadFailsTheScrapeAndTheReadiness(t *testing.T) {
	name := file(t, entry{Name: "fine", Certificate: made(t, time.Now())}, entry{Name: "broken", Certificate: "no PEM"})
	if code, text := asked(t, name, "/metrics"); code != http.StatusInternalServerError || !strings.Contains(text, "broken") {
		t.Errorf("status %d: %s", code, text)
	}
	if code, _ := asked(t, name, "/readyz"); code != http.StatusServiceUnavailable {
		t.Errorf("readiness is %d", code)
	}
	if code, _ := asked(t, name, "/healthz"); code != http.StatusOK {
		t.Errorf("liveness is %d: a restart would not mend the file", code)
	}
}

func TestAChangedFileIsReadWithoutARestart(t *testing.T) {
	name := file(t, entry{Name: "one", Certificate: made(t, time.Now())})
	answers := handler(name, time.Hour)
	content, err := os.ReadFile(file(t, entry{Name: "two", Certificate: made(t, time.Now())}))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	reply := httptest.NewRecorder()
	answers.ServeHTTP(reply, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if !strings.Contains(reply.Body.String(), `certificate="two"`) {
		t.Error(reply.Body.String())
	}
}
