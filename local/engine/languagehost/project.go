package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/blang/semver"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/errutil"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/pulumi/pulumi/sdk/v3/python/toolchain"
)

// InstallDependencies makes the virtual environment of a program or plugin and installs what it asks for.
func (h *host) InstallDependencies(
	req *pulumirpc.InstallDependenciesRequest, server pulumirpc.LanguageRuntime_InstallDependenciesServer,
) error {
	_, tool, err := resolve(req.GetInfo(), req.GetIsPlugin())
	if err != nil {
		return err
	}
	closer, stdout, stderr, err := rpcutil.MakeInstallDependenciesStreams(server, req.GetIsTerminal())
	if err != nil {
		return err
	}
	defer closer.Close()
	fmt.Fprint(stdout, "Installing dependencies...\n\n")
	ctx, directory := server.Context(), req.GetInfo().GetProgramDirectory()
	if req.GetIsPlugin() {
		if err := installPackage(ctx, tool, req, stdout, stderr); err != nil {
			return err
		}
	}
	if err := tool.InstallDependencies(ctx, directory, req.GetUseLanguageVersionTools(), true, stdout, stderr); err != nil {
		return err
	}
	fmt.Fprint(stdout, "Finished installing dependencies\n\n")
	return closer.Close()
}

// installPackage installs a plugin that is itself a buildable package: it is run by name, not by path.
func installPackage(
	ctx context.Context, tool toolchain.Toolchain, req *pulumirpc.InstallDependenciesRequest, stdout, stderr io.Writer,
) error {
	directory := req.GetInfo().GetProgramDirectory()
	buildable, err := toolchain.IsBuildablePackage(directory)
	if err != nil || !buildable {
		return err
	}
	if err := tool.EnsureVenv(ctx, directory, req.GetUseLanguageVersionTools(), true, stdout, stderr); err != nil {
		return fmt.Errorf("making the virtual environment: %w", err)
	}
	cmd, err := tool.ModuleCommand(ctx, "pip", "install", directory)
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("installing the package in %s: %w", directory, err)
	}
	return nil
}

// RuntimeOptionsPrompts returns what `pulumi new` asks about Python.
func (h *host) RuntimeOptionsPrompts(
	_ context.Context, req *pulumirpc.RuntimeOptionsRequest,
) (*pulumirpc.RuntimeOptionsResponse, error) {
	options := req.GetInfo().GetOptions().AsMap()
	tool, chosen := options["toolchain"]
	_, hasEnvironment := options["virtualenv"]
	response := &pulumirpc.RuntimeOptionsResponse{}
	switch {
	case !chosen:
		pip := textValue("pip") // every Python has it; the others are offered where they are on PATH
		response.Prompts = append(response.Prompts, &pulumirpc.RuntimeOptionPrompt{
			Key:         "toolchain",
			Description: "The toolchain to use for installing dependencies and running the program",
			PromptType:  pulumirpc.RuntimeOptionPrompt_STRING,
			Choices: append([]*pulumirpc.RuntimeOptionPrompt_RuntimeOptionValue{pip},
				plugin.MakeExecutablePromptChoices("poetry", "uv")...),
			Default: pip,
		})
	case tool == "pip" && !hasEnvironment:
		response.Prompts = append(response.Prompts, &pulumirpc.RuntimeOptionPrompt{
			Key:         "virtualenv",
			Description: "The virtualenv to use",
			PromptType:  pulumirpc.RuntimeOptionPrompt_STRING,
			Choices:     []*pulumirpc.RuntimeOptionPrompt_RuntimeOptionValue{textValue("venv")},
			Default:     textValue("venv"),
		})
	}
	return response, nil
}

func textValue(text string) *pulumirpc.RuntimeOptionPrompt_RuntimeOptionValue {
	return &pulumirpc.RuntimeOptionPrompt_RuntimeOptionValue{
		PromptType: pulumirpc.RuntimeOptionPrompt_STRING, StringValue: text, DisplayName: text,
	}
}

// Template prepares a new project's files for its toolchain, for example a requirements.txt for uv.
func (h *host) Template(ctx context.Context, req *pulumirpc.TemplateRequest) (*pulumirpc.TemplateResponse, error) {
	_, tool, err := resolve(req.GetInfo(), false)
	if err != nil {
		return nil, err
	}
	err = tool.PrepareProject(ctx, req.GetProjectName(), req.GetInfo().GetProgramDirectory(), false, io.Discard, io.Discard)
	if err != nil {
		return nil, err
	}
	return &pulumirpc.TemplateResponse{}, nil
}

// About describes the Python that programs run in, for `pulumi about`.
func (h *host) About(ctx context.Context, req *pulumirpc.AboutRequest) (*pulumirpc.AboutResponse, error) {
	options := toolchain.PythonOptions{Toolchain: toolchain.Pip} // outside a project: the ambient Python
	if req.GetInfo() != nil {
		var err error
		if options, err = pythonOptions(req.GetInfo(), false); err != nil {
			return nil, err
		}
	}
	tool, err := toolchain.ResolveToolchain(options)
	if err != nil {
		return nil, err
	}
	python, err := about(ctx, options.Toolchain, tool)
	if err != nil {
		return nil, err
	}
	metadata := map[string]string{
		"toolchain":        toolchain.Name(options.Toolchain),
		"toolchainVersion": python.ToolchainVersion.String(),
		"typechecker":      toolchain.TypeCheckerName(options.Typechecker),
		"languageHost":     "offline stand-in of omnibase-infra",
	}
	if names := offlinePlugins(os.Getenv("PULUMI_HOME")); len(names) > 0 {
		metadata["offlinePlugins"] = strings.Join(names, " ")
	}
	return &pulumirpc.AboutResponse{
		Executable: python.PythonExecutable, Version: python.PythonVersion.String(), Metadata: metadata,
	}, nil
}

// aboutScript answers in one start of Python what the SDK starts three for, one of them all of pip:
// the engine asks before every command, not only for `pulumi about`.
const aboutScript = `import importlib.metadata as m, json, sys
try:
    pip = m.version("pip")
except m.PackageNotFoundError:
    pip = ""
json.dump([sys.executable, "%d.%d.%d" % sys.version_info[:3], pip], sys.stdout)`

func about(ctx context.Context, kind any, tool toolchain.Toolchain) (toolchain.Info, error) {
	if kind != toolchain.Pip {
		return tool.About(ctx)
	}
	var found [3]string
	cmd, err := tool.Command(ctx, "-c", aboutScript)
	if err != nil {
		return toolchain.Info{}, err
	}
	out, err := cmd.Output()
	if err != nil {
		return toolchain.Info{}, fmt.Errorf("asking Python about itself: %w", errutil.ErrorWithStderr(err, "python"))
	}
	if err := json.Unmarshal(out, &found); err != nil {
		return toolchain.Info{}, fmt.Errorf("asking Python about itself: %w", err)
	}
	info := toolchain.Info{PythonExecutable: found[0]}
	info.PythonVersion, _ = semver.ParseTolerant(found[1]) // a version that cannot be read is shown as 0.0.0
	info.ToolchainVersion, _ = semver.ParseTolerant(found[2])
	return info, nil
}

// offlinePlugins names the plugins under home that stand in for official ones:
// the engine's own list of plugins has no place to tell.
func offlinePlugins(home string) []string {
	markers, _ := filepath.Glob(filepath.Join(home, "plugins", "*", "offline-stand-in")) // the pattern is well-formed
	var names []string
	for _, marker := range markers {
		names = append(names, filepath.Base(filepath.Dir(marker)))
	}
	return names
}

// GetProgramDependencies lists the installed Python packages, for `pulumi about`.
func (h *host) GetProgramDependencies(
	ctx context.Context, req *pulumirpc.GetProgramDependenciesRequest,
) (*pulumirpc.GetProgramDependenciesResponse, error) {
	_, tool, err := resolve(req.GetInfo(), false)
	if err != nil {
		return nil, err
	}
	packages, err := tool.ListPackages(ctx, req.GetTransitiveDependencies())
	if err != nil {
		return nil, fmt.Errorf("listing the program's Python packages: %w", err)
	}
	response := &pulumirpc.GetProgramDependenciesResponse{}
	for _, p := range packages {
		response.Dependencies = append(response.Dependencies, &pulumirpc.DependencyInfo{Name: p.Name, Version: p.Version})
	}
	return response, nil
}
