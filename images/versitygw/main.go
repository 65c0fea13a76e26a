// object-store starts versitygw: it makes the buckets and hands over the keys, which versitygw takes from its
// environment only and which are files here, as everywhere.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const program = "/versitygw"

func main() {
	environment, err := prepare(os.Getenv)
	if err == nil {
		err = syscall.Exec(program, []string{program, "posix", os.Getenv("STORE_DATA")}, append(os.Environ(), environment...))
	}
	fmt.Fprintln(os.Stderr, "object-store:", err)
	os.Exit(1)
}

// prepare makes the directories that versitygw shows as buckets and returns what it is to find in its environment.
func prepare(setting func(string) string) ([]string, error) {
	data, meta, keys := setting("STORE_DATA"), setting("VGW_META_SIDECAR"), setting("STORE_KEYS")
	for _, directory := range append([]string{meta}, buckets(data, setting("STORE_BUCKETS"))...) {
		if err := os.MkdirAll(directory, 0o700); err != nil {
			return nil, err
		}
	}
	found := []string{}
	for _, pair := range [][2]string{{"ROOT_ACCESS_KEY_ID", "access-key"}, {"ROOT_SECRET_ACCESS_KEY", "secret-key"}} {
		text, err := os.ReadFile(filepath.Join(keys, pair[1]))
		if err != nil {
			return nil, err
		}
		value := strings.TrimSpace(string(text))
		if value == "" {
			return nil, fmt.Errorf("%s/%s is empty", keys, pair[1])
		}
		found = append(found, pair[0]+"="+value)
	}
	return found, nil
}

func buckets(data, names string) []string {
	found := []string{}
	for _, name := range strings.Fields(names) {
		found = append(found, filepath.Join(data, name))
	}
	return found
}
