"""A workload in the cluster on a database outside of it: the Secrets, the flow and the address of ManagedPostgres, and
its migrations, which a Job runs there."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from local.node import NetworkPlan, Node
from local.paths import Paths
from tests.cluster.example_kit import ROOT, Example, copy_example
from tests.cluster.node_kit import wait_for
from tests.cluster.postgres_kit import ADMIN, ADMIN_PASSWORD, DebianPostgres, new_server

Kubectl = Callable[..., str]
_SPACE = "external-orders"
_PROGRAM = """
from pathlib import Path

import pulumi
import pulumi_kubernetes as kubernetes
import pulumi_postgresql as postgresql
from omnibase_infra import Environment, HardenedWorkload, ManagedPostgres

config = pulumi.Config()
space, host, port = config.require("namespace"), config.require("host"), config.require_int("port")
authority, admin = config.require("ca"), config.require("administrator")
context = config.require("context")
cluster = kubernetes.Provider("cluster", context=context, cluster_identifier=context)
server = postgresql.Provider(
    "server", host=host, port=port, username=admin, password=config.require_secret("administratorPassword"),
    superuser=False, sslmode="verify-full", sslrootcert=authority, connect_timeout=15,
)


def after(*before):
    return pulumi.ResourceOptions(providers=[cluster, server], depends_on=list(before))


bounds = {"cpu_request_millis": 500, "memory_mib": 512, "pods": 4, "storage_gib": 1}
space_of_shop = Environment("shop-space", {"namespace": space, "environment": "dev", **bounds}, after())
shop = {"name": "shop", "namespace": space, "labels": {"app.kubernetes.io/name": "shop"}}
orders = ManagedPostgres("orders", {
    "environment": "dev", "host": host, "port": port, "ca": Path(authority).read_text(), "administrator": admin,
    "databases": {"orders": {
        "owner": "orders_owner", "app_role": "orders_app", **config.get_object("more", {}),
        "migrations": {"files": {path.name: path.read_text() for path in Path("migrations").glob("*.sql")}},
    }},
    "namespace": space, "clients": [shop], "server_cidrs": [f"{host}/32"],
    "migrator_image": config.require("migrator"),
}, after(space_of_shop))
HardenedWorkload("shop", {
    "namespace": space, "environment": "dev", "image": config.require("image"), "memory_mib": 128, "port": 8080,
    "cpu_request_millis": 10,
    "env": {
        "REFERENCE_DATABASE_RW_HOST": orders.rw_host, "REFERENCE_DATABASE_RO_HOST": orders.ro_host,
        "REFERENCE_DATABASE_PORT": orders.port.apply(str), "REFERENCE_DATABASE_NAME": orders.database,
        "REFERENCE_DATABASE_USER": orders.user, "REFERENCE_DATABASE_SSLMODE": orders.sslmode,
        "REFERENCE_DATABASE_PASSWORD_FILE": "/run/secrets/database/password",
        "REFERENCE_DATABASE_CA_FILE": "/run/secrets/database-ca/ca.crt",
    },
    "secret_mounts": [
        {"secret": orders.password_secret, "keys": ["password"], "path": "/run/secrets/database"},
        {"secret": orders.ca_secret, "keys": ["ca.crt"], "path": "/run/secrets/database-ca"},
    ],
}, after(space_of_shop, orders))
pulumi.export("password", orders.password)
"""


@pytest.fixture(scope="module")
def server(node: Node, paths: Paths, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianPostgres]:
    """A server on the machine's end of the link to the node: outside of the cluster, and nowhere else."""
    plan = NetworkPlan.from_environment(paths, {})
    address = str(plan.host_address)
    route = subprocess.run(["ip", "route", "get", address], capture_output=True, text=True, check=True).stdout
    assert route.startswith("local "), route
    directory = tmp_path_factory.mktemp("outside")
    made = new_server(directory, host=address, address=address, network=str(plan.network))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def shop(
    server: DebianPostgres, paths: Paths, image_references: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Example]:
    """The program above, deployed once."""
    made = copy_example("managed-postgres", tmp_path_factory.mktemp("shop"), paths)
    (made.directory / "__main__.py").write_text(_PROGRAM)
    shutil.copytree(ROOT / "migrations" / "reference", made.directory / "migrations")
    settings = {
        "namespace": _SPACE,
        "context": f"omnibase-{paths.instance}",
        "host": server.host,
        "port": str(server.port),
        "ca": str(server.directory / "tls" / "ca.crt"),
        "administrator": ADMIN,
        "image": image_references["reference"],
        "migrator": image_references["migrator"],
    }
    for key, value in settings.items():
        made.config(key, value)
    made.config("administratorPassword", ADMIN_PASSWORD, secret=True)
    made.run("up", "--yes", "--skip-preview")
    yield made
    made.run("destroy", "--yes", "--skip-preview")
    made.run("stack", "rm", "--yes")


def _secret(kubectl: Kubectl, name: str) -> dict[str, str]:
    data: dict[str, str] = json.loads(kubectl("get", "secret", name, "-n", _SPACE, "-o", "json"))["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


@pytest.mark.req("C2.6", "C2.8")
def test_a_workload_becomes_ready_on_a_database_outside_of_the_cluster(
    shop: Example, server: DebianPostgres, kubectl: Kubectl
) -> None:
    ready = ("get", "deployment", "shop", "-n", _SPACE, "-o", "jsonpath={.status.readyReplicas}")
    wait_for(lambda: kubectl(*ready) == "1", 30, "ready, which means: a login at the server worked, verified in full")
    logins = server.sql("SELECT count(*) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) "
                        "WHERE a.usename = 'orders_app' AND s.ssl")  # fmt: skip
    assert logins[0][0] >= 1, "the service keeps its connection"


_TABLES = "SELECT tablename, tableowner FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"


@pytest.mark.req("C2.3", "C2.6")
def test_the_sets_of_the_cluster_run_on_the_server_as_the_owner_who_cannot_log_in(
    shop: Example, server: DebianPostgres
) -> None:
    tables = dict(server.sql(_TABLES, "orders"))
    assert "notes" in tables
    assert set(tables.values()) == {"orders_owner"}
    ran = server.sql("SELECT DISTINCT applied_by FROM schema_migrations", "orders")
    assert ran == [("orders_migrator",)]
    may = "SELECT has_table_privilege('orders_app', '{}', 'INSERT')"
    assert server.sql(may.format("notes"), "orders") == [(True,)]
    assert server.sql(may.format("schema_migrations"), "orders") == [(False,)]


@pytest.mark.req("C2.3", "P6")
def test_a_file_that_fails_stops_the_update_and_a_mended_one_goes_on_for_a_new_role_too(
    shop: Example, server: DebianPostgres, kubectl: Kubectl
) -> None:
    files = shop.directory / "migrations"
    number = f"{len(list(files.glob('*.up.sql'))) + 1:04d}_lines"
    (files / f"{number}.up.sql").write_text("CREATE TABLE lines AS SELECT nothing FROM notes;")
    (files / f"{number}.down.sql").write_text("DROP TABLE lines;")
    shop.config("more", '{"read_only_role": "orders_reader"}')
    pods = ("get", "pods", "-n", _SPACE, "-l", "app.kubernetes.io/name=shop", "-o", "jsonpath={.items[*].metadata.uid}")
    before = kubectl(*pods)
    failed = shop.run("up", "--yes", "--skip-preview", code=None)
    assert failed.code not in (0, 7)
    assert f'{number}.up.sql:1: column "nothing" does not exist' in failed.text
    assert "lines" not in dict(server.sql(_TABLES, "orders"))
    (files / f"{number}.up.sql").write_text("CREATE TABLE lines AS SELECT 1 AS id;")
    shop.run("up", "--yes", "--skip-preview")
    may = "has_table_privilege('orders_reader', '{}', '{}')"
    for table in ("notes", "lines"):  # what was there before the role, and what came with it
        asked = ", ".join(may.format(table, word) for word in ("SELECT", "INSERT"))
        assert server.sql(f"SELECT {asked}", "orders") == [(True, False)], table
    assert kubectl(*pods) == before, "the service goes on as it is"


def test_the_secrets_hold_what_the_role_logs_in_with(shop: Example, server: DebianPostgres, kubectl: Kubectl) -> None:
    secret = _secret(kubectl, "orders-app-role")
    assert secret == {"username": "orders_app", "password": shop.outputs()["password"]}
    assert _secret(kubectl, "orders-ca") == {"ca.crt": server.ca}


def test_the_only_way_out_is_the_servers_address(shop: Example, server: DebianPostgres, kubectl: Kubectl) -> None:
    found = json.loads(kubectl("get", "networkpolicy", "-n", _SPACE, "-o", "json"))["items"]
    ways = [peer for policy in found for rule in policy["spec"].get("egress", []) for peer in rule["to"]]
    assert {peer["ipBlock"]["cidr"] for peer in ways if "ipBlock" in peer} == {f"{server.host}/32"}


@pytest.fixture
def says(shop: Example, node: Node, kubectl: Kubectl) -> Callable[[str], None]:
    """Wait until the workload says of its database what is given; read on the node, as nobody else may reach it."""
    where = (
        "get",
        "pods",
        "-n",
        _SPACE,
        "-l",
        "app.kubernetes.io/name=shop",
        "-o",
        "jsonpath={.items[0].status.podIP}",
    )

    def seen() -> str:
        url = f"http://{kubectl(*where)}:8080/metrics"
        text = node.run(
            [sys.executable, "-c", f"import urllib.request as u; print(u.urlopen({url!r}).read().decode())"]
        )
        found = re.search(r'^database_connected\{endpoint="rw"\} (\S+)$', text.stdout, re.MULTILINE)
        return found[1] if found else text.stderr

    def wait(value: str) -> None:
        wait_for(lambda: seen() == value, 40, lambda: f"database_connected is {value}, but {seen()}")

    return wait


# What the alert ServiceWithoutDatabase reads; there is no Prometheus beside this one workload.
def test_a_workload_whose_server_is_down_says_so_and_goes_on_with_it(
    says: Callable[[str], None], server: DebianPostgres
) -> None:
    says("1.0")
    server.stop()
    try:
        says("0.0")
    finally:
        server.start()
    says("1.0")


def test_a_workload_that_cannot_log_in_says_so_and_goes_on_when_the_password_is_put_back(
    says: Callable[[str], None], shop: Example, server: DebianPostgres
) -> None:
    server.sql("ALTER ROLE orders_app PASSWORD 'somebody-elses'")
    server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'orders_app'")
    says("0.0")
    shop.run("refresh", "--yes", "--skip-preview")
    shop.run("up", "--yes", "--skip-preview")
    says("1.0")


def test_a_second_up_changes_nothing(shop: Example) -> None:
    shop.run("preview", "--expect-no-changes")
