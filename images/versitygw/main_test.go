package main

import (
	"os"
	"path/filepath"
	"testing"
)

func settings(t *testing.T) (string, map[string]string) {
	t.Helper()
	home := t.TempDir()
	return home, map[string]string{
		"STORE_DATA":       filepath.Join(home, "data"),
		"VGW_META_SIDECAR": filepath.Join(home, "meta"),
		"STORE_KEYS":       home,
		"STORE_BUCKETS":    "one two",
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestKeysComeFromFilesAndBucketsAreDirectories(t *testing.T) {
	home, given := settings(t)
	write(t, filepath.Join(home, "access-key"), "me\n")
	write(t, filepath.Join(home, "secret-key"), "hidden\n")
	found, err := prepare(func(name string) string { return given[name] })
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 2 || found[0] != "ROOT_ACCESS_KEY_ID=me" || found[1] != "ROOT_SECRET_ACCESS_KEY=hidden" {
		t.Fatalf("environment: %v", found)
	}
	for _, directory := range []string{"data/one", "data/two", "meta"} {
		if status, err := os.Stat(filepath.Join(home, directory)); err != nil || !status.IsDir() {
			t.Errorf("%s: %v", directory, err)
		}
	}
}

func TestAnEmptyKeyStopsTheStore(t *testing.T) {
	home, given := settings(t)
	write(t, filepath.Join(home, "access-key"), "me")
	write(t, filepath.Join(home, "secret-key"), " \n")
	if _, err := prepare(func(name string) string { return given[name] }); err == nil {
		t.Fatal("a store without a key would be open to everybody")
	}
}
