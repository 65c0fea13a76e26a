package main

import "testing"

func TestPluginVersionTranslatesPythonVersions(t *testing.T) {
	for python, want := range map[string]string{
		"1":                "1.0.0",
		"1.2":              "1.2.0",
		"4.34.2":           "4.34.2",
		"1.2.3.4":          "1.2.3.4",
		"1.2.3a4":          "1.2.3-alpha.4",
		"1.2b0":            "1.2.0-beta.0",
		"1.2.3rc4":         "1.2.3-rc.4",
		"1.2.3.post4":      "1.2.3+post4",
		"1.2.3.dev5":       "1.2.3+dev5",
		"1.2.3rc1.post4":   "1.2.3-rc.1+post4",
		"1.2.3.post4.dev5": "1.2.3+post4dev5",
	} {
		got, err := pluginVersion(python)
		if err != nil || got != want {
			t.Errorf("pluginVersion(%q) = %q, %v; want %q", python, got, err, want)
		}
	}
}

func TestPluginVersionRefusesVersionsWithoutCounterpart(t *testing.T) {
	for _, python := range []string{"", "1!2.0", "1.2+local", "v1.2", "1.2.", "1.2.x", "1.2.3é"} {
		if got, err := pluginVersion(python); err == nil {
			t.Errorf("pluginVersion(%q) = %q, want an error", python, got)
		}
	}
}
