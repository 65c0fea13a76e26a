"""PostgresCluster: PostgreSQL with replicas, poolers, roles, grants, TLS and network flows."""

from typing import Any

import pulumi

from omnibase_infra.errors import refuse
from omnibase_infra.naming import service_host
from omnibase_infra.network import NetworkFlow, Party
from omnibase_infra.objects import KubernetesObject, child, register_outputs
from omnibase_infra.postgres import (
    backups,
    changes,
    cluster_spec,
    databases,
    inspectors,
    migrating,
    names,
    pooler_spec,
    queries,
)
from omnibase_infra.postgres.args import PostgresClusterArgs
from omnibase_infra.postgres.backup_checks import store_port
from omnibase_infra.postgres.checks import problems
from omnibase_infra.postgres.password import generated_password, role_secret
from omnibase_infra.postgres.scrape import cluster_targets
from omnibase_infra.postgres.watchdog import make_watchdog
from omnibase_infra.scrape import ScrapeTarget


class PostgresCluster(pulumi.ComponentResource):
    """A CloudNativePG cluster with a read-write and a read-only pooler and its databases.

    Makes: ConfigMap with the queries of the metrics exporter, for each role that logs in a generated password in a
    Stash and its Secret, Cluster, Databases beside the first, two Poolers with disruption budgets (2 pods or more), a
    Job that migrates the databases with migrations and gives their roles rights, with immutable ConfigMaps of the
    files, a watchdog where one is asked for, and all network flows. TLS everywhere: clients verify the poolers in full
    with `ca.crt` of `ca_secret`, poolers verify the servers in full, clear text is refused.
    What depends on this component is made after the Job has succeeded, and not at all if it fails.

    Raises:
        ArgsError: names, sizes, connections or a quorum that cannot work; all problems together. In preview and in
            update also for a change that the deployed cluster cannot follow: smaller volumes, larger ones where they
            cannot grow, an image together with parameters, an older major version, another first database.
    """

    rw_host: pulumi.Output[str]
    """Read-write endpoint; keeps its name when the primary changes. Known once the pooler is active."""
    ro_host: pulumi.Output[str]
    """Read-only endpoint on the standbys."""
    direct_host: pulumi.Output[str]
    """The primary itself, without a pooler: for `inspectors`."""
    port: pulumi.Output[int]
    """Port of both."""
    database: pulumi.Output[str]
    """Name of the first database."""
    user: pulumi.Output[str]
    """Its application role."""
    password_secret: pulumi.Output[str]
    """Secret with the keys `username` and `password` of `user`."""
    role_secrets: pulumi.Output[dict[str, str]]
    """Role -> Secret with the keys `username` and `password`, of every role that logs in."""
    ca_secret: pulumi.Output[str]
    """Secret with the key `ca.crt` that signs the endpoints' certificates."""

    def __init__(self, name: str, args: PostgresClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        refuse("PostgresCluster", name, problems(name, args))
        inputs: dict[str, Any] = {**args}
        super().__init__("omnibase-infra:index:PostgresCluster", name, inputs, opts)
        flows = self._flows(name, args)
        roles = [*databases.login_roles(args), *inspectors.inspectors(args)]
        self.passwords: dict[str, pulumi.Output[str]] = {}
        secrets = {role: self._password(name, args, role) for role in roles}
        stores = [child(self, f"{name}-{role}", each) for role, each in backups.objects(name, args).items()]
        metrics = child(self, f"{name}-queries", queries.config_map(name, args))
        guard = bool(args.get("protect", False))
        cluster = child(
            self,
            f"{name}-cluster",
            cluster_spec.cluster(name, args),
            depends_on=[*flows, *secrets.values(), *stores, metrics],
            protect=guard,
            retain_on_delete=guard,  # deleting a Cluster deletes its volumes
            hooks=changes.watch(name, volumes_expand=bool(args.get("volumes_expand", True))),
        )
        if "backups" in args:
            child(self, f"{name}-schedule", backups.schedule(name, args), depends_on=[cluster])
        made = [self._database(name, each, args, cluster) for each in args["databases"]]
        if databases.migrators(args):
            incarnation = cluster.metadata.apply(lambda known: str((known or {}).get("uid", "")))
            migrating.make_job(self, databases.migrations(name, args), [cluster, *made], incarnation)
        poolers = {role: self._pooler(name, role, args, [cluster, *made]) for role in ("rw", "ro")}
        make_watchdog(self, name, args, cluster)
        self.scrape_targets: list[ScrapeTarget] = cluster_targets(
            name, args["namespace"], own_authority="tls_secret" not in args
        )
        self._outputs(name, args, secrets, poolers)

    def _flows(self, name: str, args: PostgresClusterArgs) -> list[NetworkFlow]:
        space = args["namespace"]
        servers, poolers, jobs = names.instances(name, space), names.poolers(name, space), names.jobs(name, space)
        api: Party = {"name": "API server", "cidrs": list(args["api_server_cidrs"])}
        arrows: dict[str, tuple[Party, Party, list[int]]] = {
            "operator": (args["operator"], servers, [names.STATUS_PORT]),
            # 8000 as well: a primary that cannot see the others' managers takes itself for isolated and stops.
            "replication": (servers, servers, [names.PORT, names.STATUS_PORT]),
            "join": (jobs, servers, [names.PORT]),
            "pool": (poolers, servers, [names.PORT]),
            "api": (names.everything(name, space), api, [int(port) for port in args["api_server_ports"]]),
        }
        for role, store in backups.stores(args).items():
            # archiving is the instances' work, restoring that of the jobs
            arrows[role] = (names.servers_and_jobs(name, space), store["party"], [store_port(store)])
        for role, party in args.get("inspectors", {}).items():
            arrows[f"inspector-{role.replace('_', '-')}"] = (party, servers, [names.PORT])
        for client in args["clients"]:
            arrows[f"client-{names.slug(client)}"] = (client, poolers, [names.PORT])
        opts = pulumi.ResourceOptions(parent=self)
        return [
            NetworkFlow(f"{name}-{role}", {"source": source, "destination": destination, "ports": ports}, opts)
            for role, (source, destination, ports) in arrows.items()
        ]

    def _password(self, name: str, args: PostgresClusterArgs, role: str) -> KubernetesObject:
        generation, secret = int(args.get("password_generation", 1)), databases.secret(name, args, role)
        first = role == databases.first(args)["app_role"]
        self.passwords[role] = generated_password(self, name if first else f"{name}-{role}", generation)
        manifest = role_secret(
            name,
            args["namespace"],
            args["environment"],
            role=role,
            password=self.passwords[role],
            generation=generation,
            secret=secret,
        )
        return child(self, f"{name}-app-role" if first else f"{name}-role-{role}", manifest)

    def _database(
        self, name: str, database: str, args: PostgresClusterArgs, cluster: KubernetesObject
    ) -> KubernetesObject:
        guard = bool(args.get("protect", False))
        return child(
            self,
            f"{name}-database-{database}",
            databases.database(name, database, args),
            depends_on=[cluster],
            protect=guard,
            retain_on_delete=guard,
        )

    def _pooler(
        self, name: str, role: str, args: PostgresClusterArgs, after: list[KubernetesObject]
    ) -> KubernetesObject:
        if args["pooler_instances"] > 1:
            child(self, f"{name}-pooler-{role}-budget", pooler_spec.disruption_budget(name, role, args))
        return child(self, f"{name}-pooler-{role}", pooler_spec.pooler(name, role, args), depends_on=after)

    def _outputs(
        self,
        name: str,
        args: PostgresClusterArgs,
        secrets: dict[str, KubernetesObject],
        poolers: dict[str, KubernetesObject],
    ) -> None:
        hosts = {role: service_host(names.pooler(name, role), args["namespace"]) for role in ("rw", "ro")}
        # urns, known even in preview, make whoever uses an address wait for what is behind it
        self.rw_host = poolers["rw"].urn.apply(lambda _: hosts["rw"])
        self.ro_host = poolers["ro"].urn.apply(lambda _: hosts["ro"])
        called = {role: databases.secret(name, args, role) for role in secrets}
        self.password_secret = secrets[databases.first(args)["app_role"]].urn.apply(lambda _: names.app_secret(name))
        self.role_secrets = pulumi.Output.all(*(each.urn for each in secrets.values())).apply(lambda _: called)
        self.direct_host = poolers["rw"].urn.apply(lambda _: service_host(f"{name}-rw", args["namespace"]))
        behind = pulumi.Output.all(poolers["rw"].urn, databases.ca_secret(name, args))
        self.ca_secret = behind.apply(lambda both: str(both[1]))
        self.port = pulumi.Output.from_input(names.PORT)
        self.database = pulumi.Output.from_input(args["first_database"])
        self.user = pulumi.Output.from_input(databases.first(args)["app_role"])
        register_outputs(self)
