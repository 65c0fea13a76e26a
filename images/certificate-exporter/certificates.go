package main

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// entry is one element of the list in CERTIFICATES_FILE.
type entry struct {
	Name        string `json:"name"`
	Namespace   string `json:"namespace"`
	Kind        string `json:"kind"`
	Certificate string `json:"certificate"`
}

type watched struct {
	labels string
	parsed *x509.Certificate
}

// read parses the file; one certificate that cannot be read fails the whole, as its end would go unseen.
func read(file string) ([]watched, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var entries []entry
	if err := json.Unmarshal(content, &entries); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	found := make([]watched, 0, len(entries))
	for _, one := range entries {
		block, _ := pem.Decode([]byte(one.Certificate))
		if block == nil {
			return nil, fmt.Errorf("%s: certificate %q is not PEM", file, one.Name)
		}
		parsed, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: certificate %q: %w", file, one.Name, err)
		}
		labels := fmt.Sprintf("certificate=%s,namespace=%s,kind=%s", quoted(one.Name), quoted(one.Namespace), quoted(one.Kind))
		found = append(found, watched{labels: labels, parsed: parsed})
	}
	return found, nil
}

// write prints the metrics in the text format of Prometheus.
func write(to io.Writer, found []watched, window time.Duration) {
	const prefix = "omnibase_certificate_"
	head(to, prefix+"not_after_timestamp_seconds", "When the certificate ends, unix time.")
	for _, one := range found {
		fmt.Fprintf(to, "%snot_after_timestamp_seconds{%s} %d\n", prefix, one.labels, one.parsed.NotAfter.Unix())
	}
	head(to, prefix+"renew_after_timestamp_seconds", "From when on the certificate should be rotated, unix time.")
	for _, one := range found {
		due := one.parsed.NotAfter.Add(-window).Unix()
		fmt.Fprintf(to, "%srenew_after_timestamp_seconds{%s} %d\n", prefix, one.labels, due)
	}
	head(to, prefix+"info", "Serial number and issuer of the certificate; always 1.")
	for _, one := range found {
		serial, issuer := fmt.Sprintf("%x", one.parsed.SerialNumber), one.parsed.Issuer.CommonName
		fmt.Fprintf(to, "%sinfo{%s,serial=%s,issuer=%s} 1\n", prefix, one.labels, quoted(serial), quoted(issuer))
	}
}

func head(to io.Writer, name, help string) {
	fmt.Fprintf(to, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name)
}

// quoted writes a label's value; the format knows these three escapes only.
func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`).Replace(text) + `"`
}
