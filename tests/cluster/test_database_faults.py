"""A database of three instances, as staging and prod have it, under faults: short gaps, no acknowledged row lost.

The same cluster and the same faults as `make bench-postgres`, each once.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from omnibase_infra.postgres import PostgresClusterArgs, cluster_spec
from omnibase_infra.postgres.names import STATUS_PORT

from bench.postgres import manifests
from bench.postgres.cluster import BenchError, Cluster, install_operator, remove_operator
from bench.postgres.faults import FAULTS, FREEZE_SECONDS, Fault
from bench.postgres.run import suffer
from local.node import Node
from local.paths import Paths
from tests.cluster.node_kit import PATIENCE, Kubectl, remove_namespace, wait_for


@pytest.fixture(scope="module")
def database(node: Node, paths: Paths, image_references: dict[str, str]) -> Iterator[Cluster]:
    """The cluster, its poolers and its watchdog."""
    install_operator(paths, image_references)
    made = Cluster(paths=paths, namespace=manifests.TUNED)
    made.make(manifests.tuned(image_references))
    yield made
    remove_namespace(Kubectl(paths), manifests.TUNED)
    remove_operator(paths, image_references)


@pytest.mark.req("C2.5", "C3.6", "P14")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: each.name)
def test_a_lost_primary_costs_a_short_pause_and_no_acknowledged_row(
    fault: Fault, database: Cluster, tmp_path: Path
) -> None:
    found = suffer(database, fault, tmp_path, f"{fault.name}-{time.time():.0f}")
    print(f"{fault.title}: {found}")
    assert found["lost"] == 0
    assert found["acknowledged"] > 100
    assert found["gap"] < min(fault.target_seconds * PATIENCE, FREEZE_SECONDS)
    if fault.name not in ("postgres", "manager"):  # a container that is back at once may stay the primary
        assert found["moved"], "a standby took over"


@pytest.mark.req("V14")
def test_the_watchdogs_token_marks_and_deletes_instances_of_its_cluster_and_does_nothing_else(
    database: Cluster,
) -> None:
    def changes(pod: str, change: dict[str, object]) -> None:
        account = f"--as=system:serviceaccount:{database.namespace}:{database.name}-watchdog"
        database.kubectl(account, "patch", "pod", pod, "--dry-run=server", "--type=merge", "-p", json.dumps(change))

    primary = database.primary()
    changes(primary, {"metadata": {"labels": {"role": "replica"}}})
    with pytest.raises(BenchError, match="works on instances of database only"):
        changes(manifests.CLIENT, {"metadata": {"labels": {"role": "primary"}}})
    pooler = database.kubectl("get", "pods", "-l", "cnpg.io/podRole=pooler", "-o", "name").split()[0]
    with pytest.raises(BenchError, match="works on instances of database only"):
        changes(pooler.removeprefix("pod/"), {"metadata": {"labels": {"cnpg.io/instanceRole": "primary"}}})
    refused: tuple[dict[str, object], ...] = (
        {"metadata": {"labels": {"app": "other"}}},
        {"metadata": {"labels": {"cnpg.io/cluster": None}}},
        {"metadata": {"labels": {"cnpg.io/instanceRole": None}}},
        {"metadata": {"annotations": {"a": "b"}}},
        {"spec": {"activeDeadlineSeconds": 99}},
    )
    for change in refused:
        with pytest.raises(BenchError, match=r"sets the labels cnpg.io/instanceRole and role only"):
            changes(primary, change)


def _break_image(database: Cluster) -> None:
    """An image that no registry has, as a typing error would make it."""
    shown = database.kubectl("get", "clusters.postgresql.cnpg.io", database.name, "-o", "jsonpath={.spec.imageName}")
    wrong = {"spec": {"imageName": f"{shown[:-64]}{'0' * 64}"}}
    database.kubectl("patch", "clusters.postgresql.cnpg.io", database.name, "--type=merge", "-p", json.dumps(wrong))


def _with_other_images(database: Cluster, good: str) -> list[str]:
    shown = json.loads(database.kubectl("get", "pods", "-l", "cnpg.io/podRole=instance", "-o", "json"))["items"]
    return [each["metadata"]["name"] for each in shown if good != each["spec"]["containers"][0]["image"]]


@pytest.mark.req("C2.5", "P14")
def test_a_change_that_does_not_start_stops_at_the_first_standby_which_is_deleted_once_the_change_is_taken_back(
    database: Cluster, tmp_path: Path, image_references: dict[str, str]
) -> None:
    def broken_and_back(cluster: Cluster) -> None:
        _break_image(cluster)
        wait_for(lambda: not cluster.is_whole(), 60, "a standby gets the image that cannot be pulled")
        time.sleep(20)
        assert cluster.primary() == before, "the primary is the last one to be changed"
        good = {"spec": {"imageName": image_references["postgres"]}}
        cluster.kubectl("patch", "clusters.postgresql.cnpg.io", cluster.name, "--type=merge", "-p", json.dumps(good))
        for name in _with_other_images(cluster, image_references["postgres"]):
            cluster.kubectl("delete", "pod", name, "--wait=false")  # the operator waits for it and makes it not anew

    before = database.primary()
    fault = Fault(name="image", title="an image that is not there", target_seconds=3, inject=broken_and_back)
    found = suffer(database, fault, tmp_path, f"image-{time.time():.0f}")
    print(found)
    assert found["lost"] == 0
    assert found["gap"] < fault.target_seconds * PATIENCE, "writes go on with the other standby"
    assert not found["moved"]


_MORE_MEMORY_MIB = 640


def _give_memory(database: Cluster, images: dict[str, str]) -> None:
    """What `postgres.memory_mib` changes: the pods, and the settings that follow from it."""
    args: PostgresClusterArgs = {**manifests.arguments(images), "memory_mib": _MORE_MEMORY_MIB}
    wanted = cluster_spec.cluster(database.name, args)["spec"]
    parameters = {"parameters": wanted["postgresql"]["parameters"]}
    change = {key: wanted[key] for key in ("resources", "ephemeralVolumesSizeLimit")} | {"postgresql": parameters}
    patch = ("--type=merge", "-p", json.dumps({"spec": change}))
    database.kubectl("patch", "clusters.postgresql.cnpg.io", database.name, *patch)


def _instances(database: Cluster) -> dict[str, dict[str, Any]]:
    """Name -> pod."""
    shown = json.loads(database.kubectl("get", "pods", "-l", "cnpg.io/podRole=instance", "-o", "json"))["items"]
    return {each["metadata"]["name"]: each for each in shown}


_TIMELINE = "SELECT ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int"
"""Goes up by one with every promotion."""


@pytest.mark.req("C2.2", "C2.5")
def test_another_memory_reaches_the_standbys_first_and_the_primary_by_one_switchover(
    database: Cluster, tmp_path: Path, image_references: dict[str, str]
) -> None:
    def more_memory(cluster: Cluster) -> None:
        _give_memory(cluster, image_references)
        wait_for(lambda: not cluster.is_whole(), 60, "the operator begins")

    database.wait_whole()
    primary, timeline, before = database.primary(), int(database.sql(_TIMELINE)), _instances(database)
    fault = Fault(name="memory", title="more memory", target_seconds=3, inject=more_memory)
    found = suffer(database, fault, tmp_path, f"memory-{time.time():.0f}")
    print(found)
    assert found["lost"] == 0
    assert found["gap"] < fault.target_seconds * PATIENCE
    assert int(database.sql(_TIMELINE)) == timeline + 1, "one switchover"
    pods = _instances(database)
    assert all(pods[name]["metadata"]["uid"] != before[name]["metadata"]["uid"] for name in before)
    made = {name: pod["metadata"]["creationTimestamp"] for name, pod in pods.items()}
    assert max(made, key=lambda name: made[name]) == primary, "the primary is the last one to be changed"
    for name, pod in pods.items():
        server = next(each for each in pod["spec"]["containers"] if each["name"] == "postgres")
        assert server["resources"]["limits"]["memory"] == f"{_MORE_MEMORY_MIB}Mi"
        shown = database.kubectl("exec", name, "-c", "postgres", "--", "psql", "-qtAc", "SHOW shared_buffers").strip()
        assert shown == f"{_MORE_MEMORY_MIB // 4}MB"


_WATCHDOG = f"{manifests.CLUSTER}-watchdog"
_PATIENCE_SECONDS = 4
"""Of the watchdog."""


def _told(database: Cluster) -> str:
    return database.kubectl("logs", f"deployment/{_WATCHDOG}")


def _identity(database: Cluster, name: str) -> tuple[str, int]:
    """Changes when the pod is made anew, and when its server's container is."""
    pod = database.pod(name)
    return pod["metadata"]["uid"], sum(each["restartCount"] for each in pod["status"]["containerStatuses"])


def _shown(database: Cluster, setting: str) -> set[str]:
    """What the instances say of it, each; a word more where one says nothing."""
    try:
        words = ("-c", "postgres", "--", "psql", "-qtAc", f"SHOW {setting}")
        return {database.kubectl("exec", name, *words).strip() for name in _instances(database)}
    except BenchError:
        return {"nothing"}


@contextlib.contextmanager
def _session_that_stands_still(database: Cluster, directory: Path) -> Iterator[None]:
    """Of a client: a server cannot stop before it is over."""

    def signal(name: str) -> None:
        database.kubectl("exec", primary, "-c", "postgres", "--", "sh", "-c", f"kill -{name} {session}")

    primary = database.primary()
    to = database.connection("rw", directory)
    with contextlib.closing(psycopg.connect(**to)) as connection:
        session = connection.info.backend_pid
        signal("STOP")
        try:
            yield
        finally:
            signal("CONT")


@pytest.mark.req("C2.2", "C3.6")
def test_fewer_connections_restart_the_primary_where_it_is_and_the_watchdog_waits_for_that(
    database: Cluster, tmp_path: Path
) -> None:
    database.wait_whole()
    primary = database.primary()
    before = _identity(database, primary)
    change = {"spec": {"postgresql": {"parameters": {"max_connections": "90"}}}}
    with _session_that_stands_still(database, tmp_path):
        patch = ("--type=merge", "-p", json.dumps(change))
        database.kubectl("patch", "clusters.postgresql.cnpg.io", database.name, *patch)
        wait_for(lambda: "is down on purpose" in _told(database), 90, "the watchdog learns of the restart")
        time.sleep(2 * _PATIENCE_SECONDS)
    wait_for(lambda: _shown(database, "max_connections") == {"90"}, 180, "all instances have the new value")
    database.wait_whole()
    assert (database.primary(), _identity(database, primary)) == (primary, before)


@contextlib.contextmanager
def _no_way_to_the_instances(node: Node, address: str) -> Iterator[None]:
    """Connections that are there break too, which no policy does; rules of policies come to the top of their table."""
    rule = ("PREROUTING", "-s", address, "-p", "tcp", "--dport", str(STATUS_PORT), "-j", "DROP")
    done = node.run(["iptables", "-w", "-t", "raw", "-I", *rule])
    assert done.returncode == 0, done.stderr
    try:
        yield
    finally:
        node.run(["iptables", "-w", "-t", "raw", "-D", *rule])


@pytest.mark.req("C3.6")
def test_a_watchdog_that_reaches_no_instance_ends_none(node: Node, database: Cluster) -> None:
    primary = database.primary()
    before = _identity(database, primary)
    address = database.kubectl("get", "pods", "-l", f"app={_WATCHDOG}", "-o", "jsonpath={.items[*].status.podIP}")
    with _no_way_to_the_instances(node, address):
        wait_for(lambda: "the way to them is at fault" in _told(database), 30, "the watchdog sees that it is alone")
        time.sleep(2 * _PATIENCE_SECONDS)
    time.sleep(2 * _PATIENCE_SECONDS)
    assert (database.primary(), _identity(database, primary)) == (primary, before)


def _expired(authority: dict[str, str], names: list[str]) -> dict[str, str]:
    """A server certificate of this authority that ended yesterday."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.load_pem_x509_certificate(base64.b64decode(authority["ca.crt"]))
    signer = serialization.load_pem_private_key(base64.b64decode(authority["ca.key"]), password=None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=2))
        .not_valid_after(now - datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    certificate = made.public_bytes(serialization.Encoding.PEM)
    return {"tls.crt": base64.b64encode(certificate).decode(), "tls.key": base64.b64encode(private).decode()}


def _secret(database: Cluster, name: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(database.kubectl("get", "secret", name, "-o", "jsonpath={.data}"))
    return found


@pytest.mark.req("C3.6", "P13")
def test_an_expired_certificate_is_renewed_and_clients_that_verify_connect_again(
    database: Cluster, tmp_path: Path
) -> None:
    secret = f"{database.name}-server"
    good = x509.load_pem_x509_certificate(base64.b64decode(_secret(database, secret)["tls.crt"]))
    names = good.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    change = json.dumps({"data": _expired(_secret(database, f"{database.name}-ca"), names)})
    database.kubectl("patch", "secret", secret, "--type=merge", "-p", change)

    def renewed() -> bool:
        certificate = x509.load_pem_x509_certificate(base64.b64decode(_secret(database, secret)["tls.crt"]))
        return certificate.not_valid_after_utc > datetime.datetime.now(datetime.UTC)

    took = wait_for(renewed, 60, "the operator renews the certificate")
    print(f"renewed after {took:.0f} s")
    for service in ("rw", "pooler-rw"):
        to = database.connection(service, tmp_path)

        def connects(to: dict[str, object] = to) -> bool:
            try:
                with psycopg.connect(**to) as connection:  # type: ignore[arg-type]  # its own kinds of values
                    return connection.execute("SELECT 1").fetchone() == (1,)
            except psycopg.OperationalError:
                return False

        wait_for(connects, 90, f"a client that verifies in full connects to {service}")
