package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// world stands for the API server and the instances.
type world struct {
	found            cluster
	primary, standby *pod
	hangs            bool // the primary
	// cut: nobody is reached; restarts: the primary is down on purpose.
	cut, restarts bool
	repaired      time.Time // the way, if it was cut
	// stranger: it answers with a certificate of an authority that we do not know.
	stranger bool
	ended    []string
	clock    time.Time
}

func newWorld() *world {
	made := &world{clock: time.Unix(1_000_000, 0)}
	made.primary, made.standby = instance("database-1", "uid-1"), instance("database-2", "uid-2")
	made.found.Status.CurrentPrimary, made.found.Status.TargetPrimary = "database-1", "database-1"
	made.found.Status.Instances = map[string][]string{"healthy": {"database-1", "database-2"}}
	return made
}

func instance(name, uid string) *pod {
	it := new(pod)
	it.Metadata.Name, it.Metadata.UID, it.Status.Address = name, uid, "192.0.2."+name[len(name)-1:]
	it.Status.Containers = append(it.Status.Containers, struct {
		Name    string `json:"name"`
		Started bool   `json:"started"`
	}{container, true})
	return it
}

func (world *world) cluster(context.Context) (*cluster, error) {
	found := world.found
	return &found, nil
}

func (world *world) pod(_ context.Context, name string) (*pod, error) {
	for _, it := range []*pod{world.primary, world.standby} {
		if it != nil && it.Metadata.Name == name {
			return it, nil
		}
	}
	return nil, nil
}

func (world *world) ready(_ context.Context, address string) error {
	switch {
	case world.stranger:
		return errUnverified
	case world.silent(address):
		world.clock = world.clock.Add(timeout)
		return errors.New("no answer")
	case world.restarts && address == world.primary.Status.Address:
		return errOnPurpose
	}
	return nil
}

func (world *world) answers(_ context.Context, address string) bool {
	if world.silent(address) {
		world.clock = world.clock.Add(brief)
	}
	return !world.silent(address)
}

func (world *world) silent(address string) bool {
	return world.cut || world.clock.Before(world.repaired) || world.hangs && address == world.primary.Status.Address
}

func (world *world) end(_ context.Context, it *pod) error {
	world.ended = append(world.ended, it.Metadata.UID)
	return nil
}

// watch looks for so long, and says how many seconds passed until the first deletion.
func (world *world) watch(span time.Duration) float64 { return world.with(world.dog(), span) }

func (world *world) dog() *watchdog {
	return &watchdog{server: world, now: func() time.Time { return world.clock }}
}

func (world *world) with(dog *watchdog, span time.Duration) float64 {
	began := world.clock
	for world.clock.Sub(began) < span {
		wait := dog.look(context.Background())
		if len(world.ended) > 0 {
			return world.clock.Sub(began).Seconds()
		}
		world.clock = world.clock.Add(wait)
	}
	return 0
}

func TestAPrimaryThatAnswersIsLeftAlone(t *testing.T) {
	if newWorld().watch(time.Minute) != 0 {
		t.Error("a primary that answers was deleted")
	}
}

func TestAPrimaryThatStandsStillIsDeletedOnce(t *testing.T) {
	world := newWorld()
	world.hangs = true
	if took := world.watch(time.Minute); took < patience.Seconds() || took > 5 {
		t.Errorf("deleted after %.1f s", took)
	}
	if len(world.ended) != 1 || world.ended[0] != "uid-1" {
		t.Errorf("deleted: %v", world.ended)
	}
}

func TestAPrimaryWhoseCertificateIsNotTakenIsLeftAlone(t *testing.T) {
	world := newWorld()
	world.stranger = true
	if world.watch(time.Minute) != 0 {
		t.Error("a manager that answers, with a certificate of another authority, was taken for silent")
	}
}

func TestAnAuthorityThatWasRenewedIsReadAgain(t *testing.T) {
	manager := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer manager.Close()
	other := httptest.NewUnstartedServer(nil)
	other.TLS = &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}
	other.StartTLS()
	defer other.Close()
	file := filepath.Join(t.TempDir(), "ca.crt")
	write := func(it *httptest.Server) {
		block := &pem.Block{Type: "CERTIFICATE", Bytes: it.Certificate().Raw}
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(other)
	client, err := trust(file, "example.com")
	if err != nil {
		t.Fatal(err)
	}
	api := &kubernetes{instances: client, authority: file, host: "example.com"}
	if err := api.ask(context.Background(), timeout, manager.URL, nil); !errors.Is(err, errUnverified) {
		t.Errorf("of another authority: %v", err)
	}
	write(manager)
	_ = api.ask(context.Background(), timeout, manager.URL, nil) // still by the old one, and reads the new one
	if err := api.ask(context.Background(), timeout, manager.URL, nil); err != nil {
		t.Errorf("after it was renewed: %v", err)
	}
}

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}
}

func TestAShortSilenceIsForgotten(t *testing.T) {
	world := newWorld()
	dog := world.dog()
	for range 20 {
		world.hangs = !world.hangs
		world.clock = world.clock.Add(dog.look(context.Background()))
	}
	if len(world.ended) > 0 {
		t.Error("two silences with an answer between them are not one")
	}
}

func TestItFollowsThePrimaryToAnotherPod(t *testing.T) {
	world := newWorld()
	dog := world.dog()
	world.clock = world.clock.Add(dog.look(context.Background()))
	world.found.Status.CurrentPrimary, world.found.Status.TargetPrimary = "database-2", "database-2"
	world.primary, world.standby = world.standby, world.primary
	world.clock = world.clock.Add(freshness)
	world.clock = world.clock.Add(dog.look(context.Background()))
	world.hangs = true
	for len(world.ended) == 0 {
		world.clock = world.clock.Add(dog.look(context.Background()))
	}
	if len(world.ended) != 1 || world.ended[0] != "uid-2" {
		t.Errorf("deleted: %v", world.ended)
	}
}

func TestAfterADeletionTheFailoverComesToItsEndBeforeTheNextQuestion(t *testing.T) {
	world := newWorld()
	world.hangs = true
	dog := world.dog()
	var wait time.Duration
	for len(world.ended) == 0 {
		wait = dog.look(context.Background())
		world.clock = world.clock.Add(wait)
	}
	if wait != rest {
		t.Errorf("waits %s", wait)
	}
}

func TestWhatHasAReasonToBeSilentIsLeftAlone(t *testing.T) {
	cases := map[string]func(*world){
		"it is another pod by now":       func(it *world) { it.primary = instance("database-1", "uid-2") },
		"it is gone":                     func(it *world) { it.primary = nil },
		"it is being deleted":            func(it *world) { it.primary.Metadata.DeletionTimestamp = "now" },
		"another one is the primary":     func(it *world) { it.found.Status.CurrentPrimary = "database-2" },
		"the operator moves the primary": func(it *world) { it.found.Status.TargetPrimary = "database-2" },
		"it is fenced":                   func(it *world) { it.found.Metadata.Annotations = map[string]string{fenced: `["*"]`} },
		"it is hibernated":               func(it *world) { it.found.Metadata.Annotations = map[string]string{hibernation: "on"} },
		"it is starting":                 func(it *world) { it.primary.Status.Containers[0].Started = false },
		"no standby is healthy":          func(it *world) { it.found.Status.Instances = nil },
		"only itself is healthy":         func(it *world) { it.found.Status.Instances = map[string][]string{"healthy": {"database-1"}} },
	}
	for reason, change := range cases {
		world := newWorld()
		change(world)
		if spare(&world.found, world.primary, "uid-1") == "" {
			t.Errorf("ended although %s", reason)
		}
	}
}

func TestAPrimaryThatTheOperatorGaveUpIsEndedToo(t *testing.T) {
	world := newWorld()
	world.found.Status.TargetPrimary = failing
	if reason := spare(&world.found, world.primary, "uid-1"); reason != "" {
		t.Errorf("left alone because %s", reason)
	}
}

func TestWhereNobodyAnswersTheWayIsAtFaultAndNobodyIsEnded(t *testing.T) {
	world := newWorld()
	world.cut = true
	if took := world.watch(10 * time.Minute); took != 0 {
		t.Errorf("deleted after %.1f s, while no standby answered either", took)
	}
}

func TestAWayThatIsRepairedEndsNobodyAtWhateverMoment(t *testing.T) {
	for cut := time.Duration(0); cut < 20*time.Second; cut += 100 * time.Millisecond {
		world := newWorld()
		world.repaired = world.clock.Add(cut)
		if took := world.watch(time.Minute); took != 0 {
			t.Errorf("repaired after %s, and the primary deleted after %.1f s", cut, took)
		}
	}
}

func TestAStandbyThatIsNotReachedProvesNothing(t *testing.T) {
	for what, change := range map[string]func(*world){
		"it is gone":         func(it *world) { it.standby = nil },
		"it has no address":  func(it *world) { it.standby.Status.Address = "" },
		"it does not answer": func(it *world) { it.standby.Status.Address = it.primary.Status.Address },
	} {
		world := newWorld()
		world.hangs = true
		change(world)
		if world.watch(time.Minute) != 0 {
			t.Errorf("ended although of the only standby %s", what)
		}
	}
}

func TestOneStandbyThatAnswersIsEnough(t *testing.T) {
	world := newWorld()
	world.found.Status.Instances["healthy"] = []string{"database-1", "database-3", "database-2"} // the third is gone
	world.hangs = true
	if took := world.watch(time.Minute); took < patience.Seconds() || took > 5 {
		t.Errorf("deleted after %.1f s", took)
	}
}

func TestARestartOnPurposeIsWaitedFor(t *testing.T) {
	world := newWorld()
	dog := world.dog()
	for range 3 { // each one has its own time
		world.restarts = true
		world.with(dog, 2*time.Minute)
		world.restarts = false
		world.with(dog, time.Minute)
	}
	if len(world.ended) > 0 {
		t.Error("a primary that its manager restarts was deleted")
	}
}

func TestARestartThatComesToNoEndIsEnded(t *testing.T) {
	world := newWorld()
	world.restarts = true
	if took := world.watch(time.Hour); took < restart.Seconds() || took > restart.Seconds()+5 {
		t.Errorf("deleted after %.1f s", took)
	}
}

func TestAServerThatHangsInItsRestartIsEndedLikeAnyOther(t *testing.T) {
	world := newWorld()
	dog := world.dog()
	world.restarts = true
	world.with(dog, 20*time.Second)
	world.hangs = true
	if took := world.with(dog, time.Minute); took < patience.Seconds()-1 || took > 5 {
		t.Errorf("deleted after %.1f s", took)
	}
}
