package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"strings"
	"sync"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	"github.com/pulumi/pulumi/sdk/v3/go/common/version"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"
)

// engineAliveInterval is how often the host looks whether the engine still
// answers, so that it ends, and with it the Python programs, soon after an
// engine that was killed.
const engineAliveInterval = 3 * time.Second

// host answers the engine's LanguageRuntime calls.
type host struct {
	pulumirpc.UnimplementedLanguageRuntimeServer

	executor string // script of the Python SDK that runs a program
	tracing  string // passed on to programs
	stop     func() // ends this process

	cancelled context.Context // done when the engine asked to abort what runs
	cancel    context.CancelFunc

	mu            sync.Mutex
	engineAddress string
}

func newHost(executor, tracing string, stop func()) *host {
	ctx, cancel := context.WithCancel(context.Background())
	return &host{executor: executor, tracing: tracing, stop: stop, cancelled: ctx, cancel: cancel}
}

// Handshake tells the host where its engine listens.
func (h *host) Handshake(
	_ context.Context, req *pulumirpc.LanguageHandshakeRequest,
) (*pulumirpc.LanguageHandshakeResponse, error) {
	// The watch outlives the call, so it must not end with the call's context.
	if err := h.useEngine(context.Background(), req.GetEngineAddress()); err != nil {
		return nil, err
	}
	return &pulumirpc.LanguageHandshakeResponse{}, nil
}

func (h *host) useEngine(ctx context.Context, address string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if address == "" || address == h.engineAddress {
		return nil
	}
	h.engineAddress = address
	if err := rpcutil.Healthcheck(ctx, address, engineAliveInterval, h.stop); err != nil {
		return fmt.Errorf("watching the engine at %s: %w", address, err)
	}
	return nil
}

// GetPluginInfo tells the version whose contract this host keeps.
func (h *host) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: version.Version}, nil
}

// Cancel interrupts the program that runs, as Ctrl-C does.
func (h *host) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	h.cancel()
	return &emptypb.Empty{}, nil
}

// engine connects to the engine; the caller closes the connection.
func (h *host) engine() (pulumirpc.EngineClient, io.Closer, string, error) {
	h.mu.Lock()
	address := h.engineAddress
	h.mu.Unlock()
	if address == "" {
		return nil, nil, "", errors.New("the language host knows no engine: call Handshake, or give its address as last argument")
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()), rpcutil.GrpcChannelOptions())
	if err != nil {
		return nil, nil, "", fmt.Errorf("connecting to the engine at %s: %w", address, err)
	}
	return pulumirpc.NewEngineClient(conn), conn, address, nil
}

// engineLog is a writer whose text appears as passing messages in the engine's display.
type engineLog struct {
	ctx      context.Context
	engine   pulumirpc.EngineClient
	stream   int32
	severity pulumirpc.LogSeverity
}

// engineLogs returns writers for information and errors that the engine shows as one stream.
func engineLogs(ctx context.Context, engine pulumirpc.EngineClient) (info, errs *engineLog) {
	stream := rand.Int31() //nolint:gosec // a label, not a secret
	return &engineLog{ctx, engine, stream, pulumirpc.LogSeverity_INFO},
		&engineLog{ctx, engine, stream, pulumirpc.LogSeverity_ERROR}
}

// Write sends text to the engine; bytes that are no UTF-8 would make gRPC refuse the message.
func (l *engineLog) Write(p []byte) (int, error) {
	_, err := l.engine.Log(l.ctx, &pulumirpc.LogRequest{
		Severity: l.severity, Message: strings.ToValidUTF8(string(p), "\uFFFD"), StreamId: l.stream, Ephemeral: true,
	})
	if err != nil {
		return 0, err
	}
	return len(p), nil
}
