package main

import (
	"fmt"
	"regexp"
	"strings"
)

// pep440 is the part of Python's version grammar that has a counterpart among plugin versions: no epoch, no local label.
var pep440 = regexp.MustCompile(`^(\d+(?:\.\d+)*)(?:(a|b|rc)(\d+))?(?:\.(post\d+))?(?:\.(dev\d+))?$`)

var preReleases = map[string]string{"a": "alpha", "b": "beta", "rc": "rc"}

// pluginVersion translates a Python package's version into its plugin's
// semantic version, without a leading v: 1.2 -> 1.2.0, 1.2.3rc4 -> 1.2.3-rc.4,
// 1.2.3.post4.dev5 -> 1.2.3+post4dev5.
func pluginVersion(packageVersion string) (string, error) {
	parts := pep440.FindStringSubmatch(packageVersion)
	if parts == nil {
		return "", fmt.Errorf("version %q has an epoch, a local label or another form without a plugin version", packageVersion)
	}
	numbers := strings.Split(parts[1], ".")
	for len(numbers) < 3 {
		numbers = append(numbers, "0")
	}
	version := strings.Join(numbers, ".")
	if parts[2] != "" {
		version += "-" + preReleases[parts[2]] + "." + parts[3]
	}
	if build := parts[4] + parts[5]; build != "" {
		version += "+" + build
	}
	return version, nil
}
