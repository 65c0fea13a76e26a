package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/pulumi/pulumi/sdk/v3/python/toolchain"
)

const noDebugger = "this language host cannot attach a debugger: call debugpy.listen() in the program, " +
	"or put the official pulumi-language-python on PATH"

// RunPlugin executes a policy pack, or a provider written in Python, until the engine closes the stream.
func (h *host) RunPlugin(req *pulumirpc.RunPluginRequest, server pulumirpc.LanguageRuntime_RunPluginServer) error {
	if req.GetAttachDebugger() {
		return errors.New(noDebugger)
	}
	ctx, done := h.untilCancelled(server.Context())
	defer done()
	isPolicyPack := req.GetKind() == string(apitype.AnalyzerPlugin)
	_, tool, err := resolve(req.GetInfo(), !isPolicyPack)
	if err != nil {
		return err
	}
	closer, stdout, stderr, err := rpcutil.MakeRunPluginStreams(server, false)
	if err != nil {
		return err
	}
	defer closer.Close()
	if isPolicyPack {
		err = runPolicyPack(ctx, tool, req, stdout, stderr)
	} else {
		err = runProvider(ctx, tool, req, stdout, stderr)
	}
	if err == nil {
		return closer.Close()
	}
	if code, exited := exitStatus(err); exited {
		return server.Send(&pulumirpc.RunPluginResponse{
			Output: &pulumirpc.RunPluginResponse_Exitcode{Exitcode: int32(code)}, //nolint:gosec // 8 bits
		})
	}
	return fmt.Errorf("running the plugin in %s: %w", req.GetInfo().GetProgramDirectory(), err)
}

// runProvider runs a plugin in the caller's directory: `__main__.py` where
// there is one, else the components that the buildable package exports.
func runProvider(
	ctx context.Context, tool toolchain.Toolchain, req *pulumirpc.RunPluginRequest, stdout, stderr io.Writer,
) error {
	cmd, err := providerCommand(ctx, tool, req)
	if err != nil {
		return err
	}
	cmd.Dir = req.GetPwd()
	cmd.Env = append(environ(cmd), req.GetEnv()...)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	return runBound(cmd, cmd.Wait)
}

func providerCommand(
	ctx context.Context, tool toolchain.Toolchain, req *pulumirpc.RunPluginRequest,
) (*exec.Cmd, error) {
	root := req.GetInfo().GetRootDirectory()
	if _, err := os.Stat(filepath.Join(root, "__main__.py")); err == nil {
		return tool.Command(ctx, append([]string{req.GetInfo().GetProgramDirectory()}, req.GetArgs()...)...)
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	buildable, err := toolchain.IsBuildablePackage(root)
	if err != nil {
		return nil, err
	}
	if !buildable {
		return nil, fmt.Errorf("%s has neither a __main__.py nor a pyproject.toml with [project] and [build-system]", root)
	}
	pyproject, err := toolchain.LoadPyproject(root)
	if err != nil {
		return nil, err
	}
	return tool.ModuleCommand(ctx, "pulumi.run.plugin", append([]string{pyproject.Project.Name}, req.GetArgs()...)...)
}

// runPolicyPack runs a pack behind a proxy. The pack's library expects the
// stack's settings in its environment, but the engine sends them over gRPC:
// the proxy takes them before the pack starts.
func runPolicyPack(
	ctx context.Context, tool toolchain.Toolchain, req *pulumirpc.RunPluginRequest, stdout, stderr io.Writer,
) error {
	directory := req.GetInfo().GetProgramDirectory()
	arguments := append([]string{"-u", "-m", "pulumi.policy"}, req.GetArgs()...)
	cmd, err := tool.Command(ctx, append(arguments, directory)...)
	if err != nil {
		return err
	}
	cmd.Dir = directory // packs read files beside themselves
	proxy, err := newPolicyProxy(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, proxy.port)
	settings, err := proxy.settings.Promise().Result(ctx)
	if err != nil {
		return fmt.Errorf("waiting for the stack's settings: %w", err)
	}
	stack, err := policyEnvironment(settings)
	if err != nil {
		return err
	}
	cmd.Env = append(append(environ(cmd), stack...), req.GetEnv()...)
	output, packOutput := io.Pipe()
	cmd.Stdout, cmd.Stderr = packOutput, stderr
	return runBound(cmd, func() error { return proxy.attach(ctx, cmd, output, stdout) })
}

// policyEnvironment is empty where the engine gave no settings, as for `pulumi policy publish`.
func policyEnvironment(settings *pulumirpc.AnalyzerStackConfigureRequest) ([]string, error) {
	if settings == nil {
		return nil, nil
	}
	config, err := configJSON(settings.GetConfig())
	if err != nil {
		return nil, err
	}
	result := []string{"PULUMI_DRY_RUN=" + strconv.FormatBool(settings.GetDryRun()), "PULUMI_CONFIG=" + config}
	for _, variable := range []struct{ name, value string }{
		{"PULUMI_ORGANIZATION", settings.GetOrganization()},
		{"PULUMI_PROJECT", settings.GetProject()},
		{"PULUMI_STACK", settings.GetStack()},
	} {
		if variable.value != "" {
			result = append(result, variable.name+"="+variable.value)
		}
	}
	return result, nil
}
