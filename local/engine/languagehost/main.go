// Command pulumi-language-python lets the Pulumi engine run programs, policy
// packs and plugins written in Python. It is a stand-in for the program of the
// same name in Pulumi's releases, for machines that can only build from Go
// modules, and answers the same gRPC service (LanguageRuntime).
//
// Standard output carries exactly one line, the port; everything that programs
// print follows it and is shown by the engine.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/cmdutil"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/logging"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	"github.com/pulumi/pulumi/sdk/v3/go/common/version"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
)

// executorName is the script of the Python SDK that runs a program; it lies beside this program.
const executorName = "pulumi-language-python-exec"

func main() {
	tracing := flag.String("tracing", "", "Zipkin-compatible endpoint that receives traces")
	executor := flag.String("use-executor", "", "script that runs programs, default "+executorName+" beside this program")
	showVersion := flag.Bool("version", false, "print the version and exit")
	flag.Parse()
	if *showVersion {
		fmt.Println(version.Version)
		return
	}
	logging.InitLogging(false, 0, false)
	cmdutil.InitTracing("pulumi-language-python", "pulumi-language-python", *tracing)
	if err := serve(*executor, *tracing, flag.Arg(0)); err != nil {
		cmdutil.Exit(err)
	}
}

// serve prints the port of the service and returns when the engine has gone or a signal asks to end.
func serve(executor, tracing, engineAddress string) error {
	executor, err := findExecutor(executor)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	host := newHost(executor, tracing, stop)
	if engineAddress != "" {
		if err := host.useEngine(ctx, engineAddress); err != nil {
			return err
		}
	}
	cancel := make(chan bool)
	context.AfterFunc(ctx, func() { close(cancel) })
	handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Cancel: cancel,
		Init: func(server *grpc.Server) error {
			pulumirpc.RegisterLanguageRuntimeServer(server, host)
			return nil
		},
		Options: rpcutil.TracingServerInterceptorOptions(nil),
	})
	if err != nil {
		return fmt.Errorf("starting the language host's server: %w", err)
	}
	fmt.Println(handle.Port)
	return <-handle.Done
}

func findExecutor(given string) (string, error) {
	if given != "" {
		return given, nil
	}
	own, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("finding this program's own directory: %w", err)
	}
	path := filepath.Join(filepath.Dir(own), executorName)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("missing %s beside the language host: %w", executorName, err)
	}
	return path, nil
}
