package main

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"sync/atomic"

	"github.com/pulumi/pulumi/sdk/v3/go/common/promise"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// policyProxy stands between the engine and a policy pack. Packs written with the library for Python read the stack's
// settings from their environment, but the engine sends them over gRPC, to a pack that runs: so the proxy answers until
// it knows the settings, and the pack is started then.
//
// It does what sdk.PolicyProxy does, but passes what is said of resources on as bytes. That one reads and writes each
// message again: for each resource twice, and for all of them at the end.
//
// The engine asks of each resource first whether a policy changes it. A pack in Python can say yes only if a policy has
// the level for that; where none has, the proxy says no, and the pack is asked once instead of twice.
type policyProxy struct {
	port     int
	settings promise.CompletionSource[*pulumirpc.AnalyzerStackConfigureRequest] // nil: the engine gives none
	pack     promise.CompletionSource[*grpc.ClientConn]
	changes  atomic.Bool // whether a policy may change a resource; so until the pack was told its levels
}

// newPolicyProxy serves until ctx ends.
func newPolicyProxy(ctx context.Context) (*policyProxy, error) {
	proxy := &policyProxy{}
	proxy.changes.Store(true)
	cancel := make(chan bool)
	context.AfterFunc(ctx, func() { close(cancel) })
	handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Cancel:  cancel,
		Options: []grpc.ServerOption{grpc.ForceServerCodec(byteCodec{}), grpc.UnknownServiceHandler(proxy.serve)},
	})
	if err != nil {
		return nil, fmt.Errorf("starting the policy proxy: %w", err)
	}
	proxy.port = handle.Port
	return proxy, nil
}

// attach waits for the pack, started with its output in a pipe, to print its port, and serves it until it has ended.
func (p *policyProxy) attach(ctx context.Context, cmd *exec.Cmd, output *io.PipeReader, stdout io.Writer) error {
	exited := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		output.CloseWithError(io.EOF) // else the port of a pack that never prints one would be waited for
		exited <- err
	}()
	var port int
	if _, err := fmt.Fscanf(output, "%d\n", &port); err != nil {
		err = fmt.Errorf("could not read policy pack port: %w", err)
		p.pack.Reject(err)
		return err
	}
	go func() { _, _ = io.Copy(stdout, output) }()
	connection, err := grpc.NewClient(fmt.Sprintf("127.0.0.1:%d", port),
		grpc.WithTransportCredentials(insecure.NewCredentials()), rpcutil.GrpcChannelOptions())
	if err != nil {
		p.pack.Reject(err)
		return err
	}
	defer connection.Close()
	if err := p.configure(ctx, connection); err != nil {
		p.pack.Reject(err)
		return err
	}
	p.pack.Fulfill(connection)
	return <-exited
}

// configure hands the settings to a pack that takes them this way too.
func (p *policyProxy) configure(ctx context.Context, connection *grpc.ClientConn) error {
	settings, err, known := p.settings.Promise().TryResult()
	if err != nil || !known || settings == nil {
		return err
	}
	_, err = pulumirpc.NewAnalyzerClient(connection).ConfigureStack(ctx, settings)
	if err != nil && status.Code(err) != codes.Unimplemented {
		return fmt.Errorf("policy pack configuration failed: %w", err)
	}
	return nil
}

// serve answers one call, whatever its method; all of the Analyzer service have one request and one response.
func (p *policyProxy) serve(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	var request, response message
	if err := stream.RecvMsg(&request); err != nil {
		return err
	}
	switch method {
	case pulumirpc.Analyzer_Handshake_FullMethodName:
		return stream.SendMsg(&pulumirpc.AnalyzerHandshakeResponse{})
	case pulumirpc.Analyzer_ConfigureStack_FullMethodName:
		settings := &pulumirpc.AnalyzerStackConfigureRequest{}
		if err := proto.Unmarshal(request, settings); err != nil {
			return err
		}
		p.settings.Fulfill(settings)
		return stream.SendMsg(&pulumirpc.AnalyzerStackConfigureResponse{})
	case pulumirpc.Analyzer_Configure_FullMethodName:
		if err := p.readLevels(request); err != nil {
			return err
		}
	case pulumirpc.Analyzer_Remediate_FullMethodName:
		if !p.changes.Load() {
			return stream.SendMsg(&pulumirpc.RemediateResponse{})
		}
	}
	p.settings.Fulfill(nil) // asked before any settings came, as by `pulumi policy publish`: there are none
	pack, err := p.pack.Promise().Result(stream.Context())
	if err != nil {
		return fmt.Errorf("policy pack not started: %w", err)
	}
	if err := pack.Invoke(stream.Context(), method, &request, &response, grpc.ForceCodec(byteCodec{})); err != nil {
		return err
	}
	return stream.SendMsg(&response)
}

// readLevels learns from the configuration, which names each policy of the pack, whether one may change a resource.
func (p *policyProxy) readLevels(request message) error {
	var config pulumirpc.ConfigureAnalyzerRequest
	if err := proto.Unmarshal(request, &config); err != nil {
		return err
	}
	changes := false
	for _, policy := range config.GetPolicyConfig() {
		changes = changes || policy.GetEnforcementLevel() == pulumirpc.EnforcementLevel_REMEDIATE
	}
	p.changes.Store(changes)
	return nil
}

// message is a message as it is on the wire.
type message []byte

// byteCodec leaves a message as it is, and treats what is not one as gRPC does.
type byteCodec struct{}

// Name says that it is protobuf.
func (byteCodec) Name() string { return "proto" }

// Marshal returns the bytes of a message.
func (byteCodec) Marshal(value any) ([]byte, error) {
	switch value := value.(type) {
	case *message:
		return *value, nil
	case proto.Message:
		return proto.Marshal(value)
	}
	return nil, fmt.Errorf("%T is no message", value)
}

// Unmarshal keeps the bytes of a message.
func (byteCodec) Unmarshal(data []byte, value any) error {
	switch value := value.(type) {
	case *message:
		*value = append((*value)[:0], data...)
		return nil
	case proto.Message:
		return proto.Unmarshal(data, value)
	}
	return fmt.Errorf("%T is no message", value)
}
