package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/blang/semver"
	"github.com/pulumi/pulumi/pkg/v3/codegen/python"
	"github.com/pulumi/pulumi/pkg/v3/codegen/schema"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/pulumi/pulumi/sdk/v3/python/toolchain"
)

// Link adds generated SDKs to a project's dependency file and tells how to import them.
func (h *host) Link(ctx context.Context, req *pulumirpc.LinkRequest) (*pulumirpc.LinkResponse, error) {
	options, err := pythonOptions(req.GetInfo(), false)
	if err != nil {
		return nil, err
	}
	loader, err := schema.NewLoaderClient(req.GetLoaderTarget())
	if err != nil {
		return nil, err
	}
	defer loader.Close()
	cached := schema.NewCachedLoader(loader)
	paths, imports := map[string]string{}, ""
	for _, dependency := range req.GetPackages() {
		if dependency.GetPackage().GetName() == "pulumi" { // the SDK itself is linked, not imported as a package
			paths["pulumi"] = dependency.GetPath()
			continue
		}
		module, alias, err := importNames(ctx, cached, dependency.GetPackage())
		if err != nil {
			return nil, err
		}
		paths[module] = dependency.GetPath()
		imports += fmt.Sprintf("  import %s as %s\n", module, alias)
	}
	if err := fallBackToPip(&options); err != nil {
		return nil, err
	}
	tool, err := toolchain.ResolveToolchain(options)
	if err != nil {
		return nil, err
	}
	if err := tool.LinkPackages(ctx, paths); err != nil {
		return nil, fmt.Errorf("linking packages: %w", err)
	}
	noun := map[bool]string{true: "SDKs", false: "SDK"}[len(req.GetPackages()) > 1]
	return &pulumirpc.LinkResponse{
		ImportInstructions: fmt.Sprintf("You can import the %s in your Python code with:\n\n%s", noun, imports),
	}, nil
}

// importNames returns the module of a package's SDK and the short name that its users give it.
func importNames(
	ctx context.Context, loader schema.ReferenceLoader, dependency *pulumirpc.PackageDependency,
) (module, alias string, err error) {
	reference, err := schema.LoadPackageReferenceV2(ctx, loader, describe(dependency))
	if err != nil {
		return "", "", err
	}
	pkg, err := reference.Definition()
	if err != nil {
		return "", "", err
	}
	if err := pkg.ImportLanguages(map[string]schema.Language{"python": python.Importer}); err != nil {
		return "", "", err
	}
	if info, ok := pkg.Language["python"].(python.PackageInfo); ok && info.PackageName != "" {
		return info.PackageName, info.PackageName, nil
	}
	alias = strings.ReplaceAll(reference.Name(), "-", "_")
	return python.PyPack(reference.Namespace(), reference.Name()), alias, nil
}

// describe drops versions that are not semantic ones: a local package may have none.
func describe(dependency *pulumirpc.PackageDependency) *schema.PackageDescriptor {
	result := &schema.PackageDescriptor{Name: dependency.GetName(), DownloadURL: dependency.GetServer()}
	if version, err := semver.New(dependency.GetVersion()); err == nil {
		result.Version = version
	}
	if given := dependency.GetParameterization(); given != nil {
		result.Parameterization = &schema.ParameterizationDescriptor{Name: given.GetName(), Value: given.GetValue()}
		if version, err := semver.New(given.GetVersion()); err == nil {
			result.Parameterization.Version = *version
		}
	}
	return result
}

// fallBackToPip links into requirements.txt where poetry or uv has not yet
// converted it into a pyproject.toml, which happens at the first install.
func fallBackToPip(options *toolchain.PythonOptions) error {
	if options.Toolchain == toolchain.Pip || exists(options.ProgramDir, "pyproject.toml") {
		return nil
	}
	if !exists(options.ProgramDir, "requirements.txt") {
		return fmt.Errorf("%s has neither a pyproject.toml nor a requirements.txt to link packages into", options.ProgramDir)
	}
	options.Toolchain = toolchain.Pip
	return nil
}

func exists(directory, name string) bool {
	_, err := os.Stat(filepath.Join(directory, name))
	return !errors.Is(err, os.ErrNotExist)
}
