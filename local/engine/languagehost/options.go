package main

import (
	"fmt"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/pulumi/pulumi/sdk/v3/python/toolchain"
)

// pythonOptions reads `runtime.options` of a Pulumi.yaml, PulumiPolicy.yaml or PulumiPlugin.yaml.
//
// A plugin under pip without `virtualenv` gets `venv`: plugins never run in the
// ambient Python, as their dependencies would not be those of the program.
func pythonOptions(info *pulumirpc.ProgramInfo, isPlugin bool) (toolchain.PythonOptions, error) {
	result := toolchain.PythonOptions{Root: info.GetRootDirectory(), ProgramDir: info.GetProgramDirectory()}
	options := info.GetOptions().AsMap()
	var err error
	if result.Virtualenv, err = textOption(options, "virtualenv"); err != nil {
		return result, err
	}
	checker, err := textOption(options, "typechecker")
	if err != nil {
		return result, err
	}
	tool, err := textOption(options, "toolchain")
	if err != nil {
		return result, err
	}
	switch checker {
	case "":
	case "mypy":
		result.Typechecker = toolchain.TypeCheckerMypy
	case "pyright":
		result.Typechecker = toolchain.TypeCheckerPyright
	default:
		return result, fmt.Errorf("runtime option typechecker=%q is unknown: use mypy or pyright", checker)
	}
	switch tool {
	case "":
	case "pip":
		result.Toolchain = toolchain.Pip
	case "poetry":
		result.Toolchain = toolchain.Poetry
	case "uv":
		result.Toolchain = toolchain.Uv
	default:
		return result, fmt.Errorf("runtime option toolchain=%q is unknown: use pip, poetry or uv", tool)
	}
	usesPip := result.Toolchain == toolchain.Pip || result.Toolchain == toolchain.Auto
	if isPlugin && usesPip && result.Virtualenv == "" {
		result.Virtualenv = "venv"
	}
	return result, nil
}

func textOption(options map[string]any, name string) (string, error) {
	value, given := options[name]
	if !given {
		return "", nil
	}
	text, ok := value.(string)
	if !ok {
		return "", fmt.Errorf("runtime option %s must be a string, not %T", name, value)
	}
	return text, nil
}

// resolve returns the options together with the tool that runs Python under them.
func resolve(info *pulumirpc.ProgramInfo, isPlugin bool) (toolchain.PythonOptions, toolchain.Toolchain, error) {
	options, err := pythonOptions(info, isPlugin)
	if err != nil {
		return options, nil, err
	}
	tool, err := toolchain.ResolveToolchain(options)
	return options, tool, err
}
