package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/errutil"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/logging"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/pulumi/pulumi/sdk/v3/python/toolchain"
)

// discoverScript lists all candidates in one start of Python: `pip list` alone takes three times as long, before every up.
//
//go:embed discover.py
var discoverScript string

// oldestPython is what the SDK supports.
var oldestPython = [2]int{3, 9}

// noPlugin are distributions whose names promise a plugin that does not exist, and that lack a file saying so.
var noPlugin = map[string]bool{"pulumi-policy": true, "pulumi-esc-sdk": true}

type installedPackage struct {
	Name    string                   `json:"name"` // canonical: lower case, dashes
	Version string                   `json:"version"`
	Plugin  *plugin.PulumiPluginJSON `json:"plugin"` // nil without a pulumi-plugin.json
}

type installed struct {
	Python   [3]int             `json:"python"`
	Packages []installedPackage `json:"packages"`
}

// GetRequiredPackages returns the plugins of every installed distribution that has one, imported or not.
func (h *host) GetRequiredPackages(
	ctx context.Context, req *pulumirpc.GetRequiredPackagesRequest,
) (*pulumirpc.GetRequiredPackagesResponse, error) {
	engine, connection, _, err := h.engine()
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	_, tool, err := resolve(req.GetInfo(), false)
	if err != nil {
		return nil, err
	}
	info, errs := engineLogs(ctx, engine)
	if err := tool.EnsureVenv(ctx, req.GetInfo().GetProgramDirectory(), false, true, info, errs); err != nil {
		return nil, err
	}
	found, err := discover(ctx, tool)
	if err != nil {
		return nil, err
	}
	if version := [2]int{found.Python[0], found.Python[1]}; older(version, oldestPython) {
		fmt.Fprintf(os.Stderr, "Pulumi does not support Python %d.%d: use %d.%d or later\n",
			version[0], version[1], oldestPython[0], oldestPython[1])
	}
	return &pulumirpc.GetRequiredPackagesResponse{Packages: requiredPackages(found.Packages)}, nil
}

func older(a, b [2]int) bool { return a[0] < b[0] || (a[0] == b[0] && a[1] < b[1]) }

func discover(ctx context.Context, tool toolchain.Toolchain) (installed, error) {
	var result installed
	cmd, err := tool.Command(ctx, "-c", discoverScript)
	if err != nil {
		return result, err
	}
	output, err := cmd.Output()
	if err != nil {
		return result, errutil.ErrorWithStderr(err, "listing the installed Python packages")
	}
	if err := json.Unmarshal(output, &result); err != nil {
		return result, fmt.Errorf("reading the list of installed Python packages: %w", err)
	}
	return result, nil
}

func requiredPackages(packages []installedPackage) []*pulumirpc.PackageDependency {
	result := []*pulumirpc.PackageDependency{}
	for _, candidate := range packages {
		if noPlugin[candidate.Name] {
			continue
		}
		if dependency := requiredPackage(candidate); dependency != nil {
			result = append(result, dependency)
		}
	}
	return result
}

// requiredPackage returns nil for a package that says it has no plugin, or whose plugin's version cannot be told.
func requiredPackage(candidate installedPackage) *pulumirpc.PackageDependency {
	description := candidate.Plugin
	if description == nil {
		description = &plugin.PulumiPluginJSON{Resource: true}
	}
	if !description.Resource {
		return nil
	}
	version := description.Version
	if version == "" {
		var err error
		if version, err = pluginVersion(candidate.Version); err != nil {
			logging.V(5).Infof("no plugin version for %s %s: %v", candidate.Name, candidate.Version, err)
			return nil
		}
	}
	name := description.Name
	if name == "" {
		name = strings.TrimPrefix(candidate.Name, "pulumi-")
	}
	return &pulumirpc.PackageDependency{
		Kind:             "resource",
		Name:             name,
		Version:          "v" + strings.TrimPrefix(version, "v"),
		Server:           description.Server,
		Parameterization: parameterization(description.Parameterization),
		Extension:        parameterization(description.ExtensionParameterization),
	}
}

func parameterization(p *plugin.PulumiParameterizationJSON) *pulumirpc.PackageParameterization {
	if p == nil {
		return nil
	}
	return &pulumirpc.PackageParameterization{Name: p.Name, Version: p.Version, Value: p.Value}
}
