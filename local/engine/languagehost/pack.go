package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/errutil"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/fsutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/pulumi/pulumi/sdk/v3/python/toolchain"
)

// Pack builds the wheel of an SDK, for `pulumi package pack-sdk`, in an environment of its own.
func (h *host) Pack(ctx context.Context, req *pulumirpc.PackRequest) (*pulumirpc.PackResponse, error) {
	work, err := os.MkdirTemp("", "pulumi-python-pack-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	python, err := toolchain.Command(ctx, "-m", "venv", filepath.Join(work, "venv"))
	if err != nil {
		return nil, err
	}
	if output, err := python.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("making an environment to build in: %w\n%s", err, output)
	}
	tool, err := toolchain.ResolveToolchain(toolchain.PythonOptions{Root: work, Virtualenv: "venv", Toolchain: toolchain.Pip})
	if err != nil {
		return nil, err
	}
	cmd, err := tool.ModuleCommand(ctx, "pip", "wheel", "--no-deps", "--wheel-dir", work, req.GetPackageDirectory())
	if err != nil {
		return nil, err
	}
	if _, err := cmd.Output(); err != nil {
		return nil, errutil.ErrorWithStderr(err, "building the wheel of "+req.GetPackageDirectory())
	}
	wheels, err := filepath.Glob(filepath.Join(work, "*.whl"))
	if err != nil || len(wheels) != 1 {
		return nil, fmt.Errorf("building %s made %d wheels instead of one", req.GetPackageDirectory(), len(wheels))
	}
	target := filepath.Join(req.GetDestinationDirectory(), filepath.Base(wheels[0]))
	if err := fsutil.CopyFile(target, wheels[0], nil); err != nil {
		return nil, fmt.Errorf("copying the wheel: %w", err)
	}
	return &pulumirpc.PackResponse{ArtifactPath: target}, nil
}
