package main

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// echo is a pack that answers with the type of the resource and the stack that it was configured for, and changes
// every resource.
type echo struct {
	pulumirpc.UnimplementedAnalyzerServer
	stack string
}

func (e *echo) ConfigureStack(
	_ context.Context, req *pulumirpc.AnalyzerStackConfigureRequest,
) (*pulumirpc.AnalyzerStackConfigureResponse, error) {
	e.stack = req.GetStack()
	return &pulumirpc.AnalyzerStackConfigureResponse{}, nil
}

func (e *echo) Analyze(_ context.Context, req *pulumirpc.AnalyzeRequest) (*pulumirpc.AnalyzeResponse, error) {
	said := fmt.Sprintf("%s in %s: %v", req.GetType(), e.stack, req.GetProperties().AsMap())
	return &pulumirpc.AnalyzeResponse{Diagnostics: []*pulumirpc.AnalyzeDiagnostic{{Message: said}}}, nil
}

func (*echo) Configure(context.Context, *pulumirpc.ConfigureAnalyzerRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func (*echo) Remediate(context.Context, *pulumirpc.AnalyzeRequest) (*pulumirpc.RemediateResponse, error) {
	return &pulumirpc.RemediateResponse{Remediations: []*pulumirpc.Remediation{{PolicyName: "mended"}}}, nil
}

// serveEcho returns the port of a pack.
func serveEcho(t *testing.T) int {
	t.Helper()
	stop := make(chan bool)
	handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{Cancel: stop, Init: func(server *grpc.Server) error {
		pulumirpc.RegisterAnalyzerServer(server, &echo{})
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(stop) })
	return handle.Port
}

// startPack runs the proxy with a process that prints what is given, and returns the engine's side.
func startPack(t *testing.T, prints string) (pulumirpc.AnalyzerClient, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	proxy, err := newPolicyProxy(ctx)
	if err != nil {
		t.Fatal(err)
	}
	connection, err := grpc.NewClient(fmt.Sprintf("127.0.0.1:%d", proxy.port),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	client := pulumirpc.NewAnalyzerClient(connection)
	if _, err := client.Handshake(ctx, &pulumirpc.AnalyzerHandshakeRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.ConfigureStack(ctx, &pulumirpc.AnalyzerStackConfigureRequest{Stack: "dev"}); err != nil {
		t.Fatal(err)
	}
	output, packOutput := io.Pipe()
	cmd := exec.CommandContext(ctx, "sh", "-c", prints)
	cmd.Stdout = packOutput
	go func() { _ = runBound(cmd, func() error { return proxy.attach(ctx, cmd, output, io.Discard) }) }()
	return client, ctx
}

func TestWhatIsSaidOfAResourcePassesThroughTheProxyAndBack(t *testing.T) {
	client, ctx := startPack(t, fmt.Sprintf("echo %d; exec sleep 60", serveEcho(t)))

	properties, err := structpb.NewStruct(map[string]any{"deep": map[string]any{"secret": "ü"}})
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Analyze(ctx, &pulumirpc.AnalyzeRequest{Type: "a:b:C", Properties: properties})
	if err != nil {
		t.Fatal(err)
	}
	wanted := &pulumirpc.AnalyzeResponse{Diagnostics: []*pulumirpc.AnalyzeDiagnostic{
		{Message: "a:b:C in dev: map[deep:map[secret:ü]]"},
	}}
	if !proto.Equal(response, wanted) {
		t.Errorf("got %v, wanted %v", response, wanted)
	}
	if _, err := client.Cancel(ctx, nil); err == nil || !strings.Contains(err.Error(), "Unimplemented") {
		t.Errorf("a method that the pack lacks answered %v", err)
	}
}

func TestAPackIsAskedForChangesOnlyWhereAPolicyMayMakeThem(t *testing.T) {
	client, ctx := startPack(t, fmt.Sprintf("echo %d; exec sleep 60", serveEcho(t)))
	mandatory, remediate := pulumirpc.EnforcementLevel_MANDATORY, pulumirpc.EnforcementLevel_REMEDIATE
	cases := []struct {
		levels []pulumirpc.EnforcementLevel // none: the pack was not told any
		asked  bool
	}{
		{nil, true},
		{[]pulumirpc.EnforcementLevel{mandatory, mandatory}, false},
		{[]pulumirpc.EnforcementLevel{mandatory, remediate}, true},
		{[]pulumirpc.EnforcementLevel{mandatory}, false},
	}
	for _, each := range cases {
		config := map[string]*pulumirpc.PolicyConfig{}
		for index, level := range each.levels {
			config[fmt.Sprint("policy-", index)] = &pulumirpc.PolicyConfig{EnforcementLevel: level}
		}
		if each.levels != nil {
			if _, err := client.Configure(ctx, &pulumirpc.ConfigureAnalyzerRequest{PolicyConfig: config}); err != nil {
				t.Fatal(err)
			}
		}
		response, err := client.Remediate(ctx, &pulumirpc.AnalyzeRequest{Type: "a:b:C"})
		if err != nil {
			t.Fatal(err)
		}
		if asked := len(response.GetRemediations()) > 0; asked != each.asked {
			t.Errorf("levels %v: asked %v, wanted %v", each.levels, asked, each.asked)
		}
	}
}

func TestAPackThatEndsBeforeItServesIsAnErrorAndNoWait(t *testing.T) {
	client, ctx := startPack(t, "echo cannot start; exit 3")
	_, err := client.Analyze(ctx, &pulumirpc.AnalyzeRequest{Type: "a:b:C"})
	if err == nil || !strings.Contains(err.Error(), "policy pack not started: could not read policy pack port") {
		t.Errorf("got %v", err)
	}
}
