package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

const (
	accountFolder = "/var/run/secrets/kubernetes.io/serviceaccount"
	authorityFile = "/run/ca/ca.crt" // of the database's certificates
	statusPort    = "8000"
	container     = "postgres"
	failing       = "pending" // the operator's name for a target that it has not chosen yet
	fenced        = "cnpg.io/fencedInstances"
	hibernation   = "cnpg.io/hibernation"
	streamSeconds = 240 // of one watch; the API server ends it then
	longestReply  = 4 << 20
)

var (
	errRefused    = errors.New("it says no")
	errNotFound   = fmt.Errorf("%w: not found", errRefused)
	errUnverified = errors.New("it answers, with a certificate that is not taken")
	errOnPurpose  = errors.New("its manager says that it is down on purpose")
)

// cluster is what is read of a CloudNativePG Cluster.
type cluster struct {
	Metadata struct {
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
	Status struct {
		CurrentPrimary string              `json:"currentPrimary"`
		TargetPrimary  string              `json:"targetPrimary"`
		Instances      map[string][]string `json:"instancesStatus"`
	} `json:"status"`
}

// standbys that the operator calls healthy.
func (found *cluster) standbys() []string {
	others := []string{}
	for _, name := range found.Status.Instances["healthy"] {
		if name != found.Status.CurrentPrimary {
			others = append(others, name)
		}
	}
	return others
}

// pod is what is read of an instance's pod.
type pod struct {
	Metadata struct {
		Name              string `json:"name"`
		UID               string `json:"uid"`
		DeletionTimestamp string `json:"deletionTimestamp"`
	} `json:"metadata"`
	Status struct {
		Address    string `json:"podIP"`
		Containers []struct {
			Name    string `json:"name"`
			Started bool   `json:"started"`
		} `json:"containerStatuses"`
	} `json:"status"`
}

func (it *pod) started() bool {
	for _, each := range it.Status.Containers {
		if each.Name == container {
			return each.Started
		}
	}
	return false
}

// kubernetes is the real server.
type kubernetes struct {
	url, namespace, name string
	token                func() (string, error)
	client, instances    *http.Client
	authority, host      string // of the instances' certificates
	port                 string // of their managers
}

func inCluster(namespace, name string) (*kubernetes, error) {
	api, err := trust(accountFolder+"/ca.crt", "")
	if err != nil {
		return nil, err
	}
	host := name + "-rw"
	instances, err := trust(authorityFile, host)
	if err != nil {
		return nil, err
	}
	address := net.JoinHostPort(os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT"))
	return &kubernetes{
		url: "https://" + address, namespace: namespace, name: name, client: api, instances: instances,
		authority: authorityFile, host: host, port: statusPort,
		// Read every time: the kubelet renews it.
		token: func() (string, error) {
			text, err := os.ReadFile(accountFolder + "/token")
			return string(text), err
		},
	}, nil
}

// trust makes a client that takes certificates of one authority only.
func trust(file, serverName string) (*http.Client, error) {
	authority, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	settings := &tls.Config{RootCAs: trusted, ServerName: serverName, MinVersion: tls.VersionTLS12}
	return &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: settings}}, nil
}

func (api *kubernetes) cluster(ctx context.Context) (*cluster, error) {
	found := new(cluster)
	path := fmt.Sprintf("/apis/postgresql.cnpg.io/v1/namespaces/%s/clusters/%s", api.namespace, api.name)
	return found, api.call(ctx, http.MethodGet, path, nil, found)
}

func (api *kubernetes) changes(ctx context.Context, tell func(*cluster)) error {
	ctx, cancel := context.WithTimeout(ctx, (streamSeconds+10)*time.Second)
	defer cancel()
	path := fmt.Sprintf("/apis/postgresql.cnpg.io/v1/namespaces/%s/clusters?watch=1&fieldSelector=metadata.name%%3D%s&timeoutSeconds=%d",
		api.namespace, api.name, streamSeconds)
	request, err := api.request(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	endless := &http.Client{Transport: api.client.Transport}
	reply, err := endless.Do(request)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return fmt.Errorf("watch of %s: %s", api.name, reply.Status)
	}
	for events := json.NewDecoder(reply.Body); ; {
		event := struct {
			Type   string  `json:"type"`
			Object cluster `json:"object"`
		}{}
		if err := events.Decode(&event); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if event.Type == "ERROR" {
			return fmt.Errorf("watch of %s: the API server ended it", api.name)
		}
		tell(&event.Object)
	}
}

func (api *kubernetes) lead(ctx context.Context, pod string) error {
	// Both labels, as the operator sets them; "role" is the older name that Services of earlier versions select.
	return api.call(ctx, http.MethodPatch, api.path(pod),
		[]byte(`{"metadata":{"labels":{"cnpg.io/instanceRole":"primary","role":"primary"}}}`), nil)
}

func (api *kubernetes) pod(ctx context.Context, name string) (*pod, error) {
	found := new(pod)
	err := api.call(ctx, http.MethodGet, api.path(name), nil, found)
	if errors.Is(err, errNotFound) {
		return nil, nil
	}
	return found, err
}

func (api *kubernetes) end(ctx context.Context, it *pod) error {
	// The kubelet says when the processes are gone, which a deletion by force would not wait for.
	options := map[string]any{"gracePeriodSeconds": 1, "preconditions": map[string]string{"uid": it.Metadata.UID}}
	body, err := json.Marshal(options)
	if err != nil {
		return err
	}
	return api.call(ctx, http.MethodDelete, api.path(it.Metadata.Name), body, nil)
}

func (api *kubernetes) ready(ctx context.Context, address string) error {
	problem := api.ask(ctx, timeout, api.manager(address, "/readyz"), nil)
	if !errors.Is(problem, errRefused) {
		return problem
	}
	// A server that hangs gives no answer to this either: only one that is down, or starts or stops, is excused.
	status := struct {
		OnPurpose bool `json:"mightBeUnavailable"`
	}{}
	if err := api.ask(ctx, brief, api.manager(address, "/pg/status"), &status); err == nil && status.OnPurpose {
		return fmt.Errorf("%w: %w", errOnPurpose, problem)
	}
	return problem
}

func (api *kubernetes) answers(ctx context.Context, address string) bool {
	err := api.ask(ctx, brief, api.manager(address, "/failsafe"), nil)
	return err == nil || errors.Is(err, errRefused) || errors.Is(err, errUnverified)
}

func (api *kubernetes) manager(address, path string) string {
	return "https://" + net.JoinHostPort(address, api.port) + path
}

// ask is about an instance. Who answers with a certificate that is not taken stands not still: the authority may have
// been renewed, so it is read again for the next question.
func (api *kubernetes) ask(ctx context.Context, limit time.Duration, url string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	err = exchange(api.instances, request, into)
	var refused *tls.CertificateVerificationError
	if !errors.As(err, &refused) {
		return err
	}
	if renewed, failed := trust(api.authority, api.host); failed == nil {
		api.instances = renewed
	}
	return fmt.Errorf("%w: %w", errUnverified, err)
}

func (api *kubernetes) path(pod string) string {
	return fmt.Sprintf("/api/v1/namespaces/%s/pods/%s", api.namespace, pod)
}

func (api *kubernetes) call(ctx context.Context, method, path string, body []byte, into any) error {
	request, err := api.request(ctx, method, path, body)
	if err != nil {
		return err
	}
	return exchange(api.client, request, into)
}

func (api *kubernetes) request(ctx context.Context, method, path string, body []byte) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, method, api.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	token, err := api.token()
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	if method == http.MethodPatch {
		request.Header.Set("Content-Type", "application/merge-patch+json")
	}
	return request, nil
}

// exchange sends a request and reads the JSON of its answer.
func exchange(client *http.Client, request *http.Request, into any) error {
	reply, err := client.Do(request)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(io.LimitReader(reply.Body, longestReply))
	switch {
	case err != nil:
		return err
	case reply.StatusCode == http.StatusNotFound:
		return fmt.Errorf("%s %s: %w", request.Method, request.URL.Path, errNotFound)
	case reply.StatusCode >= http.StatusBadRequest:
		return fmt.Errorf("%s %s: %w: %s: %.200s", request.Method, request.URL.Path, errRefused, reply.Status, text)
	case into == nil:
		return nil
	}
	return json.Unmarshal(text, into)
}
