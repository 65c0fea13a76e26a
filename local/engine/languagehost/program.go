package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/pulumi/pulumi/sdk/v3/python/toolchain"
)

// exitErrorShown is the exit code of a program whose error the engine has displayed already.
const exitErrorShown = 32

// Run executes a program and reports how it ended.
func (h *host) Run(ctx context.Context, req *pulumirpc.RunRequest) (*pulumirpc.RunResponse, error) {
	if req.GetAttachDebugger() {
		return &pulumirpc.RunResponse{Error: noDebugger}, nil
	}
	_, connection, engineAddress, err := h.engine()
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	options, tool, err := resolve(req.GetInfo(), false)
	if err != nil {
		return nil, err
	}
	if err := tool.ValidateVenv(ctx); err != nil {
		return nil, err
	}
	if err := checkTypes(ctx, options, tool, req.GetInfo().GetProgramDirectory()); err != nil {
		return nil, err
	}
	runContext, done := h.untilCancelled(ctx)
	defer done()
	arguments := append([]string{h.executor}, programArguments(req, engineAddress, h.tracing)...)
	cmd, err := tool.Command(runContext, arguments...)
	if err != nil {
		return nil, err
	}
	configuration, err := programEnvironment(req)
	if err != nil {
		return nil, err
	}
	cmd.Env = append(environ(cmd), configuration...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	terminateOnCancel(cmd)
	return programResult(runBound(cmd, cmd.Wait)), nil
}

// untilCancelled derives a context that also ends when the engine calls Cancel.
func (h *host) untilCancelled(ctx context.Context) (context.Context, func()) {
	derived, cancel := context.WithCancel(ctx)
	unregister := context.AfterFunc(h.cancelled, cancel)
	return derived, func() { unregister(); cancel() }
}

func programResult(err error) *pulumirpc.RunResponse {
	if err == nil {
		return &pulumirpc.RunResponse{}
	}
	var message string
	var signalled *exec.ExitError
	switch code, exited := exitStatus(err); {
	case exited && code == exitErrorShown:
		return &pulumirpc.RunResponse{Bail: true}
	case exited:
		message = fmt.Sprintf("program exited with non-zero exit code: %d", code)
	case errors.As(err, &signalled):
		message = fmt.Sprintf("program exited unexpectedly: %v", err)
	default:
		message = fmt.Sprintf("problem executing program (could not run language executor): %v", err)
	}
	return &pulumirpc.RunResponse{Error: message}
}

// programArguments is the command line of the executor script: flags with values, entry point, the program's arguments.
func programArguments(req *pulumirpc.RunRequest, engineAddress, tracing string) []string {
	flags := []struct{ name, value string }{
		{"monitor", req.GetMonitorAddress()},
		{"engine", engineAddress},
		{"project", req.GetProject()},
		{"root_directory", req.GetInfo().GetRootDirectory()},
		{"stack", req.GetStack()},
		{"pwd", req.GetPwd()},
		{"dry_run", strconv.FormatBool(req.GetDryRun())},
		{"parallel", strconv.Itoa(int(req.GetParallel()))}, // the script cannot do without it
		{"tracing", tracing},
		{"organization", req.GetOrganization()},
	}
	var result []string
	for _, flag := range flags {
		if flag.value != "" {
			result = append(result, "--"+flag.name, flag.value)
		}
	}
	return append(append(result, req.GetInfo().GetEntryPoint()), req.GetArgs()...)
}

// programEnvironment carries the stack's configuration. Empty means {} and []: the SDK fails on a JSON null.
func programEnvironment(req *pulumirpc.RunRequest) ([]string, error) {
	config, err := configJSON(req.GetConfig())
	if err != nil {
		return nil, err
	}
	secrets := req.GetConfigSecretKeys()
	if secrets == nil {
		secrets = []string{}
	}
	keys, err := json.Marshal(secrets)
	if err != nil {
		return nil, fmt.Errorf("encoding the keys of secret configuration: %w", err)
	}
	return []string{"PULUMI_CONFIG=" + config, "PULUMI_CONFIG_SECRET_KEYS=" + string(keys)}, nil
}

func configJSON(config map[string]string) (string, error) {
	if config == nil {
		config = map[string]string{}
	}
	text, err := json.Marshal(config)
	if err != nil {
		return "", fmt.Errorf("encoding configuration: %w", err)
	}
	return string(text), nil
}

// checkTypes runs the type checker named by the options before the program; its findings end the run.
func checkTypes(ctx context.Context, options toolchain.PythonOptions, tool toolchain.Toolchain, directory string) error {
	var arguments []string
	name := map[bool]string{true: "mypy", false: "pyright"}[options.Typechecker == toolchain.TypeCheckerMypy]
	switch options.Typechecker {
	case toolchain.TypeCheckerNone:
		return nil
	case toolchain.TypeCheckerMypy:
		environment, err := tool.VirtualEnvPath(ctx)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(directory, environment)
		if err != nil {
			return err
		}
		arguments = []string{"--exclude", relative} // else mypy reads every installed package inside the program's directory
	}
	cmd, err := tool.ModuleCommand(ctx, name, append(arguments, directory)...)
	if err != nil {
		return err
	}
	var output bytes.Buffer
	cmd.Dir = directory
	cmd.Stdout, cmd.Stderr = io.MultiWriter(os.Stdout, &output), io.MultiWriter(os.Stderr, &output)
	if err := cmd.Run(); err != nil {
		if bytes.Contains(output.Bytes(), []byte("No module named "+name)) {
			return fmt.Errorf("the typechecker option is %s, but %s is not installed: add it to the project's requirements", name, name)
		}
		return fmt.Errorf("%s failed: %w\n%s", name, err, output.String())
	}
	return nil
}
