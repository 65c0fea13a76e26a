package main

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/python/toolchain"
)

func TestRequiredPackagesHonourThePluginFile(t *testing.T) {
	required := requiredPackages([]installedPackage{
		{Name: "pulumi-kubernetes", Version: "4.34.2", Plugin: &plugin.PulumiPluginJSON{Resource: true, Name: "kubernetes", Version: "4.34.2"}},
		{Name: "pulumi-policy", Version: "1.21.0"},
		{Name: "pulumi-nothing", Version: "1.0", Plugin: &plugin.PulumiPluginJSON{Resource: false}},
		{Name: "pulumi-plain", Version: "2.1rc1"},
		{Name: "pulumi-odd", Version: "1!2"},
		{Name: "acme", Version: "9", Plugin: &plugin.PulumiPluginJSON{Resource: true, Server: "https://acme.example"}},
	})
	want := []string{"kubernetes v4.34.2 ", "plain v2.1.0-rc.1 ", "acme v9.0.0 https://acme.example"}
	if len(required) != len(want) {
		t.Fatalf("got %d packages, want %d: %v", len(required), len(want), required)
	}
	for i, p := range required {
		if got := p.Name + " " + p.Version + " " + p.Server; got != want[i] || p.Kind != "resource" {
			t.Errorf("package %d is %q of kind %q, want %q", i, got, p.Kind, want[i])
		}
	}
}

func TestRequiredPackageKeepsParameterization(t *testing.T) {
	given := &plugin.PulumiParameterizationJSON{Name: "base", Version: "1.0.0", Value: []byte("x")}
	p := requiredPackage(installedPackage{Name: "gw", Version: "1.2.1", Plugin: &plugin.PulumiPluginJSON{
		Resource: true, Name: "kubernetes", ExtensionParameterization: given,
	}})
	if p.Parameterization != nil || p.Extension == nil || p.Extension.Name != "base" || string(p.Extension.Value) != "x" {
		t.Errorf("got %v", p)
	}
}

func TestDiscoverReadsTheDistributionsOfAnEnvironment(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Fatal("this test needs python3 on PATH")
	}
	root := t.TempDir()
	if out, err := exec.Command("python3", "-m", "venv", "--without-pip", filepath.Join(root, "venv")).CombinedOutput(); err != nil {
		t.Fatalf("making an environment: %v\n%s", err, out)
	}
	sites, _ := filepath.Glob(filepath.Join(root, "venv", "lib", "python3*", "site-packages"))
	files := map[string][]byte{
		"pulumi_acme-1.2.dist-info/METADATA": []byte("Metadata-Version: 2.1\nName: pulumi_acme\nVersion: 1.2\n"),
		"pulumi_acme/__init__.py":            nil,
		"pulumi_acme/pulumi-plugin.json":     []byte(`{"resource": true, "name": "acme", "version": "1.2.5"}`),
		"other-3.dist-info/METADATA":         []byte("Metadata-Version: 2.1\nName: other\nVersion: 3\n"),
		"broken.dist-info/METADATA":          nil,
	}
	if err := writeFiles(sites[0], files); err != nil {
		t.Fatal(err)
	}
	tool, err := toolchain.ResolveToolchain(toolchain.PythonOptions{Root: root, Virtualenv: "venv", Toolchain: toolchain.Pip})
	if err != nil {
		t.Fatal(err)
	}
	found, err := discover(context.Background(), tool)
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Packages) != 1 || found.Packages[0].Name != "pulumi-acme" || found.Packages[0].Plugin.Version != "1.2.5" {
		t.Errorf("found %+v", found.Packages)
	}
	if found.Python[0] != 3 {
		t.Errorf("Python's version is %v", found.Python)
	}
}
