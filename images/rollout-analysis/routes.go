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
	manager       = "rollout-analysis"
	whole         = 100
	longestReply  = 4 << 20
)

var errNotFound = errors.New("not found")

// Cluster is the API server, with the rights of the Job's account: to read and patch the service's routes, and to see
// whether there is a stable Deployment.
type Cluster struct {
	url       string
	namespace string
	token     func() (string, error)
	client    *http.Client
}

func inCluster(namespace string) (*Cluster, error) {
	authority, err := os.ReadFile(accountFolder + "/ca.crt")
	if err != nil {
		return nil, err
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(authority)
	address := net.JoinHostPort(os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT"))
	return &Cluster{
		url: "https://" + address, namespace: namespace,
		// Read every time: the kubelet renews it.
		token: func() (string, error) {
			text, err := os.ReadFile(accountFolder + "/token")
			return string(text), err
		},
		client: &http.Client{
			Timeout:   5 * time.Second,
			Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}},
		},
	}, nil
}

// hasDeployment says whether there is a Deployment of the name.
func (cluster *Cluster) hasDeployment(ctx context.Context, name string) (bool, error) {
	err := cluster.call(ctx, http.MethodGet, cluster.path("apps/v1", "deployments", name), nil, nil)
	if errors.Is(err, errNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Route is what is read of an HTTPRoute.
type Route struct {
	Metadata struct {
		Generation int64 `json:"generation"`
	} `json:"metadata"`
	Spec struct {
		Rules []struct {
			Backends []struct {
				Name   string `json:"name"`
				Weight *int   `json:"weight"`
			} `json:"backendRefs"`
		} `json:"rules"`
	} `json:"spec"`
	Status struct {
		Parents []struct {
			Conditions []struct {
				Type               string `json:"type"`
				Status             string `json:"status"`
				ObservedGeneration int64  `json:"observedGeneration"`
			} `json:"conditions"`
		} `json:"parents"`
	} `json:"status"`
}

// route reads an HTTPRoute; nil where there is none.
func (cluster *Cluster) route(ctx context.Context, name string) (*Route, error) {
	found := new(Route)
	path := cluster.path("gateway.networking.k8s.io/v1", "httproutes", name)
	err := cluster.call(ctx, http.MethodGet, path, nil, found)
	if errors.Is(err, errNotFound) {
		return nil, nil
	}
	return found, err
}

// leadsTo says whether a service is among the backends.
func (route *Route) leadsTo(service string) bool {
	for _, rule := range route.Spec.Rules {
		for _, backend := range rule.Backends {
			if backend.Name == service {
				return true
			}
		}
	}
	return false
}

// inForce says whether the controller has accepted what the route says now.
func (route *Route) inForce() bool {
	for _, parent := range route.Status.Parents {
		for _, condition := range parent.Conditions {
			current := condition.ObservedGeneration >= route.Metadata.Generation
			if condition.Type == "Accepted" && condition.Status == "True" && current {
				return true
			}
		}
	}
	return false
}

type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// shift gives the canary `percent` of the calls of a route, and the stable pods the rest; nothing is sent where it is so
// already.
func (cluster *Cluster) shift(ctx context.Context, name, stable, canary string, percent int) error {
	route, err := cluster.route(ctx, name)
	if err != nil || route == nil {
		return err
	}
	wanted := map[string]int{stable: whole - percent, canary: percent}
	var patch []operation
	for ruleNumber, rule := range route.Spec.Rules {
		for number, backend := range rule.Backends {
			weight, ours := wanted[backend.Name]
			if !ours || !route.leadsTo(canary) || (backend.Weight != nil && *backend.Weight == weight) {
				continue
			}
			path := fmt.Sprintf("/spec/rules/%d/backendRefs/%d", ruleNumber, number)
			// The engine may have changed the route since it was read: a weight must not reach another backend.
			patch = append(patch, operation{"test", path + "/name", backend.Name}, operation{"add", path + "/weight", weight})
		}
	}
	if len(patch) == 0 {
		return nil
	}
	body, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	path := cluster.path("gateway.networking.k8s.io/v1", "httproutes", name) + "?fieldManager=" + manager
	return cluster.call(ctx, http.MethodPatch, path, body, nil)
}

func (cluster *Cluster) path(group, kind, name string) string {
	return fmt.Sprintf("/apis/%s/namespaces/%s/%s/%s", group, cluster.namespace, kind, name)
}

func (cluster *Cluster) call(ctx context.Context, method, path string, body []byte, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, cluster.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	token, err := cluster.token()
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Accept", "application/json")
	if body != nil {
		request.Header.Set("Content-Type", "application/json-patch+json")
	}
	return exchange(cluster.client, request, into)
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
		return fmt.Errorf("%s %s: %s: %.200s", request.Method, request.URL.Path, reply.Status, text)
	case into == nil:
		return nil
	}
	return json.Unmarshal(text, into)
}
