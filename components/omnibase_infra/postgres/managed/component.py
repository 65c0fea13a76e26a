"""ManagedPostgres: a database with its roles and grants on a server that somebody else runs."""

from typing import Any

import pulumi

from omnibase_infra.errors import refuse
from omnibase_infra.naming import labels
from omnibase_infra.network import NetworkFlow, Party
from omnibase_infra.objects import KubernetesObject, Manifest, register_outputs
from omnibase_infra.objects import child as kubernetes_child
from omnibase_infra.postgres import names
from omnibase_infra.postgres.managed import rights
from omnibase_infra.postgres.managed.args import ManagedPostgresArgs
from omnibase_infra.postgres.managed.checks import problems
from omnibase_infra.postgres.managed.objects import PostgresqlObject, child
from omnibase_infra.postgres.password import generated_password, role_secret

_CONNECTIONS = 100


class ManagedPostgres(pulumi.ComponentResource):
    """The database, roles and grants that PostgresCluster gives, on an external server (RDS, Supabase, any other).

    Makes: owner without login, application role with a generated password in a Stash, database in UTF-8, schema unless
    it is `public`, extensions, grants (PUBLIC has none; the application reads and writes rows), and with `namespace`
    the Secrets that workloads mount, with `clients` the flows to the server. Backups, replicas and pooling are the
    service's own. The provider comes from `opts.providers`, a `postgresql.Provider` that connects as the service's
    administrator; on PostgreSQL before 15 give `schema` a name of its own, since `public` is open to everybody there.

    Raises:
        ArgsError: names, roles, a connection that is not verified, unknown extensions; all problems together.
    """

    rw_host: pulumi.Output[str]
    """Read-write endpoint. Known once the application role can use the database."""
    ro_host: pulumi.Output[str]
    """Read-only endpoint."""
    port: pulumi.Output[int]
    """Port of both."""
    database: pulumi.Output[str]
    """Name of the database."""
    user: pulumi.Output[str]
    """The application role."""
    password: pulumi.Output[str]
    """Its password, secret; for clients outside of Kubernetes."""
    password_secret: pulumi.Output[str]
    """Secret with the keys `username` and `password`; empty without `namespace`."""
    role_secrets: pulumi.Output[dict[str, str]]
    """Role -> Secret with the keys `username` and `password`, of the role that logs in; empty without `namespace`."""
    ca_secret: pulumi.Output[str]
    """Secret with the key `ca.crt` that the server's certificate is signed by; empty without `namespace` and `ca`."""
    sslmode: pulumi.Output[str]
    """How clients must connect."""

    def __init__(self, name: str, args: ManagedPostgresArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        refuse("ManagedPostgres", name, problems(name, args))
        inputs: dict[str, Any] = {**args}
        super().__init__("omnibase-infra:index:ManagedPostgres", name, inputs, opts)
        self._name, self._args, self._guard = name, args, bool(args.get("protect", False))
        self.password = generated_password(self, name, int(args.get("password_generation", 1)))
        owner, app_role = self._roles()
        database = self._database(owner)
        schema = self._schema(database)
        granted = self._grants([app_role, *schema])
        self._extensions(schema)
        self._flows()
        self._outputs(granted, self._secrets())

    def _child(
        self, kind: str, role: str, properties: dict[str, Any], before: list[pulumi.Resource], *, guard: bool = False
    ) -> PostgresqlObject:
        return child(self, kind, f"{self._name}-{role}", properties, depends_on=before, guard=guard)

    def _roles(self) -> tuple[list[pulumi.Resource], PostgresqlObject]:
        """The owner, with the administrator as its member where that is no superuser; and the application role."""
        args = self._args
        owner = self._child("Role", "owner", rights.owner(args["owner"]), [], guard=self._guard)
        owners: list[pulumi.Resource] = [owner]
        if args.get("administrator"):
            member = {"role": args["administrator"], "grantRole": args["owner"], "withAdminOption": False}
            owners.append(self._child("GrantRole", "administrator", member, [owner]))
        limit = int(args.get("connection_limit", _CONNECTIONS))
        app_role = rights.app_role(args["app_role"], self.password, limit, args.get("schema", "public"))
        return owners, self._child("Role", "app-role", app_role, [], guard=self._guard)

    def _database(self, owners: list[pulumi.Resource]) -> PostgresqlObject:
        properties = rights.database(self._args["database"], self._args["owner"])
        return self._child("Database", "database", properties, owners, guard=self._guard)

    def _schema(self, database: PostgresqlObject) -> list[pulumi.Resource]:
        """The database, and the schema where it is not the one that every database has."""
        schema = self._args.get("schema", "public")
        if schema == "public":
            return [database]
        properties = {
            "name": schema,
            "database": self._args["database"],
            "owner": self._args["owner"],
            "dropCascade": not self._guard,
        }
        return [database, self._child("Schema", "schema", properties, [database], guard=self._guard)]

    def _grants(self, before: list[pulumi.Resource]) -> list[PostgresqlObject]:
        """One after the other on each object: two grants on one object at the same time fail in PostgreSQL."""
        args = self._args
        made: list[PostgresqlObject] = []
        wanted = rights.grants(args["database"], args.get("schema", "public"), args["app_role"])
        last: dict[str, PostgresqlObject] = {}
        for role, properties in wanted.items():
            subject = str(properties["objectType"])
            after = [last[subject]] if subject in last else []
            last[subject] = self._child("Grant", role, properties, [*before, *after])
            made.append(last[subject])
        defaults = rights.defaults(args["database"], args.get("schema", "public"), args["owner"], args["app_role"])
        return made + [
            self._child("DefaultPrivileges", role, properties, before) for role, properties in defaults.items()
        ]

    def _extensions(self, before: list[pulumi.Resource]) -> None:
        for extension in self._args.get("extensions", []):
            properties = {"name": extension, "database": self._args["database"], "dropCascade": False}
            self._child("Extension", f"extension-{extension.replace('_', '-')}", properties, before)

    def _flows(self) -> None:
        server: Party = {"name": "external database", "cidrs": list(self._args.get("server_cidrs", []))}
        for client in self._args.get("clients", []):
            flow = f"{self._name}-client-{names.slug(client)}"
            ports = [int(self._args.get("port", names.PORT))]
            opts = pulumi.ResourceOptions(parent=self)
            NetworkFlow(flow, {"source": client, "destination": server, "ports": ports}, opts)

    def _secrets(self) -> dict[str, KubernetesObject]:
        """What workloads mount, in the same form as PostgresCluster's."""
        args, name = self._args, self._name
        space = args.get("namespace")
        if not space:
            return {}
        generation = int(args.get("password_generation", 1))
        role, tier = args["app_role"], args["environment"]
        secret = role_secret(name, space, tier, role=role, password=self.password, generation=generation)
        made = {"password": kubernetes_child(self, f"{name}-app-secret", secret)}
        if args.get("ca"):
            manifest: Manifest = {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {
                    "name": names.ca_secret(name),
                    "namespace": space,
                    "labels": labels(name, "database", args["environment"]),
                },
                "type": "Opaque",
                "stringData": {"ca.crt": args["ca"]},
            }
            made["ca"] = kubernetes_child(self, f"{name}-ca", manifest)
        return made

    def _outputs(self, granted: list[PostgresqlObject], secrets: dict[str, KubernetesObject]) -> None:
        args = self._args
        # urns, known even in preview, make whoever uses an address wait for the grants behind it
        ready = pulumi.Output.all(*(each.urn for each in granted))
        self.rw_host = pulumi.Output.all(ready, args["host"]).apply(lambda both: str(both[1]))
        self.ro_host = pulumi.Output.all(ready, args.get("ro_host", args["host"])).apply(lambda both: str(both[1]))
        self.port = pulumi.Output.from_input(int(args.get("port", names.PORT)))
        self.database = pulumi.Output.from_input(args["database"])
        self.user = pulumi.Output.from_input(args["app_role"])
        self.sslmode = pulumi.Output.from_input(args.get("sslmode", "verify-full"))
        self.password_secret = _name_of(secrets.get("password"), names.app_secret(self._name))
        self.role_secrets = self.password_secret.apply(lambda secret: {args["app_role"]: secret} if secret else {})
        self.ca_secret = _name_of(secrets.get("ca"), names.ca_secret(self._name))
        register_outputs(self)


def _name_of(secret: KubernetesObject | None, name: str) -> pulumi.Output[str]:
    return pulumi.Output.from_input("") if secret is None else secret.urn.apply(lambda _: name)
