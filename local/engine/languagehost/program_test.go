package main

import (
	"os/exec"
	"reflect"
	"strings"
	"testing"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/pulumi/pulumi/sdk/v3/python/toolchain"
	"google.golang.org/protobuf/types/known/structpb"
)

func TestProgramArgumentsAlwaysNameParallelAndDryRun(t *testing.T) {
	got := programArguments(&pulumirpc.RunRequest{
		Project: "tiny", Info: &pulumirpc.ProgramInfo{RootDirectory: "/p", EntryPoint: "."}, Args: []string{"more"},
	}, "127.0.0.1:1", "")
	want := "--engine 127.0.0.1:1 --project tiny --root_directory /p --dry_run false --parallel 0 . more"
	if strings.Join(got, " ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, " "), want)
	}
}

func TestProgramEnvironmentNeverHoldsNull(t *testing.T) {
	got, err := programEnvironment(&pulumirpc.RunRequest{})
	want := []string{"PULUMI_CONFIG={}", "PULUMI_CONFIG_SECRET_KEYS=[]"}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

func TestPolicyEnvironmentNamesTheStack(t *testing.T) {
	got, err := policyEnvironment(&pulumirpc.AnalyzerStackConfigureRequest{Stack: "dev", Project: "tiny", DryRun: true})
	want := []string{"PULUMI_DRY_RUN=true", "PULUMI_CONFIG={}", "PULUMI_PROJECT=tiny", "PULUMI_STACK=dev"}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	if got, err := policyEnvironment(nil); err != nil || got != nil {
		t.Errorf("without settings: got %v, %v", got, err)
	}
}

func TestProgramResultTellsHowAProgramEnded(t *testing.T) {
	for script, want := range map[string]*pulumirpc.RunResponse{
		"exit 0":        {},
		"exit 3":        {Error: "program exited with non-zero exit code: 3"},
		"exit 32":       {Bail: true},
		"kill -TERM $$": {Error: "program exited unexpectedly: signal: terminated"},
	} {
		cmd := exec.Command("sh", "-c", script)
		got := programResult(runBound(cmd, cmd.Wait))
		if got.GetError() != want.GetError() || got.GetBail() != want.GetBail() {
			t.Errorf("%s: got %v, want %v", script, got, want)
		}
	}
	cmd := exec.Command("/nowhere/python")
	if got := programResult(runBound(cmd, cmd.Wait)); !strings.Contains(got.GetError(), "could not run") {
		t.Errorf("a program that cannot start: got %v", got)
	}
}

func info(t *testing.T, options map[string]any) *pulumirpc.ProgramInfo {
	t.Helper()
	values, err := structpb.NewStruct(options)
	if err != nil {
		t.Fatal(err)
	}
	return &pulumirpc.ProgramInfo{RootDirectory: "/p", ProgramDirectory: "/p", Options: values}
}

func TestPluginsWithoutEnvironmentGetVenvAndProgramsDoNot(t *testing.T) {
	for _, c := range []struct {
		options  map[string]any
		isPlugin bool
		want     string
	}{
		{nil, false, ""},
		{nil, true, "venv"},
		{map[string]any{"toolchain": "pip"}, true, "venv"},
		{map[string]any{"toolchain": "uv"}, true, ""},
		{map[string]any{"virtualenv": "own"}, true, "own"},
	} {
		got, err := pythonOptions(info(t, c.options), c.isPlugin)
		if err != nil || got.Virtualenv != c.want {
			t.Errorf("%v, plugin %v: got %q, %v; want %q", c.options, c.isPlugin, got.Virtualenv, err, c.want)
		}
	}
}

func TestUnknownRuntimeOptionsAreRefusedByName(t *testing.T) {
	for _, options := range []map[string]any{
		{"toolchain": "conda"}, {"typechecker": "ty"}, {"virtualenv": 3.0}, {"toolchain": true},
	} {
		if _, err := pythonOptions(info(t, options), false); err == nil || !strings.Contains(err.Error(), "runtime option") {
			t.Errorf("%v: got %v", options, err)
		}
	}
	got, err := pythonOptions(info(t, map[string]any{"toolchain": "poetry", "typechecker": "mypy"}), false)
	if err != nil || got.Toolchain != toolchain.Poetry || got.Typechecker != toolchain.TypeCheckerMypy {
		t.Errorf("got %+v, %v", got, err)
	}
}
