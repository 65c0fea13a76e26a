"""ManagedPostgres: a database with its roles and grants on a server that somebody else runs."""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from omnibase_infra.errors import refuse
from omnibase_infra.naming import labels
from omnibase_infra.network import NetworkFlow, Party
from omnibase_infra.objects import KubernetesObject, Manifest, register_outputs
from omnibase_infra.objects import child as kubernetes_child
from omnibase_infra.postgres import migrating, names
from omnibase_infra.postgres.managed import rights
from omnibase_infra.postgres.managed.args import ManagedPostgresArgs
from omnibase_infra.postgres.managed.checks import problems
from omnibase_infra.postgres.managed.objects import PostgresqlObject, child
from omnibase_infra.postgres.managed.rights import Login
from omnibase_infra.postgres.password import generated_password, role_secret

_AUTHORITY = "ca.crt"  # no role has a dot in its name


class ManagedPostgres(pulumi.ComponentResource):
    """The databases, roles and grants that PostgresCluster gives, on an external server (RDS, Supabase, any other).

    Makes for each database: owner without login, database in UTF-8, schema unless it is `public`, extensions, roles
    that log in with a generated password in a Stash each (application, and where asked for read-only and migrator),
    grants (PUBLIC has none; the application reads and writes rows). Beside them the monitor's role, with `namespace`
    the Secrets that workloads mount, with `clients` the flows to the server, with `migrations` the Job that brings the
    databases to their version: what depends on this component is made after it has succeeded. Backups,
    replicas and pooling are the service's own. The provider comes from `opts.providers`, a `postgresql.Provider` that
    connects as the service's administrator; on PostgreSQL before 15 give `schema` a name of its own, since `public` is
    open to everybody there.

    Raises:
        ArgsError: names, roles, a connection that is not verified, unknown extensions; all problems together.
    """

    rw_host: pulumi.Output[str]
    """Read-write endpoint. Known once the application role can use the database."""
    ro_host: pulumi.Output[str]
    """Read-only endpoint."""
    direct_host: pulumi.Output[str]
    """The server without a pooler, which is `rw_host`: the component knows of none."""
    port: pulumi.Output[int]
    """Port of both."""
    database: pulumi.Output[str]
    """Name of the first database."""
    user: pulumi.Output[str]
    """Its application role."""
    password: pulumi.Output[str]
    """Its password, secret; for clients outside of Kubernetes."""
    passwords: pulumi.Output[dict[str, str]]
    """Role -> password of every role that logs in, secret."""
    password_secret: pulumi.Output[str]
    """Secret with the keys `username` and `password` of `user`; empty without `namespace`."""
    role_secrets: pulumi.Output[dict[str, str]]
    """Role -> Secret with the keys `username` and `password`, of every role that logs in; empty without `namespace`."""
    ca_secret: pulumi.Output[str]
    """Secret with the key `ca.crt` that the server's certificate is signed by; empty without `namespace` and `ca`."""
    sslmode: pulumi.Output[str]
    """How clients must connect."""

    def __init__(self, name: str, args: ManagedPostgresArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        refuse("ManagedPostgres", name, problems(name, args))
        inputs: dict[str, Any] = {**args}
        super().__init__("omnibase-infra:index:ManagedPostgres", name, inputs, opts)
        self._name, self._args, self._guard = name, args, bool(args.get("protect", False))
        self._first = rights.first(args)
        self._passwords: dict[str, pulumi.Output[str]] = {}
        owners = {name: self._owner(name, it["owner"]) for name, it in args["databases"].items()}
        roles = {it.role: self._login(it, owners) for it in rights.logins(args)}
        entered = {name: self._database(name, owners[name], roles) for name in args["databases"]}
        self._flows()
        secrets = self._secrets()
        jobs = self._migrate([*(each for last in entered.values() for each in last), *secrets.values()])
        granted = [self._defaults(name, [*last, *jobs]) for name, last in entered.items()]
        self._outputs([*granted, *roles.values()], secrets)

    def _child(
        self,
        kind: str,
        role: str,
        properties: dict[str, Any],
        before: Sequence[pulumi.Resource],
        *,
        guard: bool = False,
    ) -> PostgresqlObject:
        return child(self, kind, f"{self._name}-{role}", properties, depends_on=before, guard=guard)

    def _owner(self, database: str, role: str) -> PostgresqlObject:
        return self._child("Role", self._called("owner", database), rights.owner(role), [], guard=self._guard)

    def _login(self, login: Login, owners: Mapping[str, PostgresqlObject]) -> PostgresqlObject:
        """A role with its password, after the role that it is a member of."""
        generation = int(self._args.get("password_generation", 1))
        password = generated_password(
            self, self._name if self._is_main(login) else f"{self._name}-{login.role}", generation
        )
        self._passwords[login.role] = password
        before = [owners[login.database]] if login.group and login.database else []
        called = self._called("app-role" if login.use == "app" else login.use, login.database)
        return self._child("Role", called, login.properties(password, self._args), before, guard=self._guard)

    def _is_main(self, login: Login) -> bool:
        return login.use == "app" and login.database == self._first

    def _called(self, role: str, database: str) -> str:
        """Of the first database by the role alone, so that a second one renames nothing."""
        return role if database in ("", self._first) else f"{role}-{database.replace('_', '-')}"

    def _database(
        self, name: str, owner: PostgresqlObject, logins: Mapping[str, PostgresqlObject]
    ) -> list[PostgresqlObject]:
        """One database that its roles may enter; those of its resources that come last.

        One after the other: two grants on one object at the same time fail ("tuple concurrently updated").
        """
        args, settings, last = self._args, self._args["databases"][name], owner
        schema, roles = args.get("schema", "public"), rights.roles_of(name, settings)
        if args.get("administrator"):
            properties = rights.administrator(args["administrator"], settings["owner"])
            last = self._child("GrantRole", self._called("administrator", name), properties, [owner])
        properties = rights.database(name, settings["owner"])
        last = self._child("Database", self._called("database", name), properties, [last], guard=self._guard)
        if schema != "public":
            properties = {"name": schema, "database": name, "owner": settings["owner"], "dropCascade": not self._guard}
            last = self._child("Schema", self._called("schema", name), properties, [last], guard=self._guard)
        made = last
        for role, properties in rights.grants(name, schema, roles).items():
            needed = [logins[properties["role"]]] if properties["role"] in logins else []
            last = self._child("Grant", self._called(role, name), properties, [last, *needed])
        return [last, *self._extensions(name, made)]

    def _migrate(self, before: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        """The Job, where there are migrations."""
        args, sets = self._args, rights.migrated(self._args)
        if not sets:
            return []
        logins = [login for login in rights.logins(args) if login.use == "migrator"]
        it = migrating.Migrations(
            server=self._name,
            namespace=args["namespace"],
            environment=args["environment"],
            host=args["host"],
            port=int(args.get("port", names.PORT)),
            party=self._server,
            ca_secret=names.ca_secret(self._name),
            image=args["migrator_image"],
            databases=sets,
            secrets={login.role: self._secret_name(login) for login in logins},
        )
        return [migrating.make_job(self, it, before)]

    def _defaults(self, database: str, before: Sequence[pulumi.Resource]) -> pulumi.Resource:
        """Rights on what the owner makes from now on. The Job comes first: it gives a role that it does not know yet
        what is there already, and knows it by these."""
        settings, schema = self._args["databases"][database], self._args.get("schema", "public")
        roles, last = rights.roles_of(database, settings), list(before)
        for role, properties in rights.defaults(database, schema, settings["owner"], roles).items():
            last = [self._child("DefaultPrivileges", self._called(role, database), properties, last)]
        return last[0]

    def _extensions(self, database: str, made: PostgresqlObject) -> list[PostgresqlObject]:
        """Code in the server: they come before any migration that uses them."""
        found = []
        for extension in self._args["databases"][database].get("extensions", []):
            called = self._called(f"extension-{extension.replace('_', '-')}", database)
            properties = {"name": extension, "database": database, "dropCascade": False}
            found.append(self._child("Extension", called, properties, [made]))
        return found

    @property
    def _server(self) -> Party:
        return {"name": "external database", "cidrs": list(self._args.get("server_cidrs", []))}

    def _flows(self) -> None:
        for client in self._args.get("clients", []):
            flow = f"{self._name}-client-{names.slug(client)}"
            ports = [int(self._args.get("port", names.PORT))]
            opts = pulumi.ResourceOptions(parent=self)
            NetworkFlow(flow, {"source": client, "destination": self._server, "ports": ports}, opts)

    def _secrets(self) -> dict[str, KubernetesObject]:
        """What workloads mount, in the same form as PostgresCluster's: role -> Secret, and the authority's as `ca`."""
        args, name = self._args, self._name
        if not args.get("namespace"):
            return {}
        made = {login.role: self._secret(login) for login in rights.logins(args)}
        if args.get("ca"):
            manifest: Manifest = {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {
                    "name": names.ca_secret(name),
                    "namespace": args["namespace"],
                    "labels": labels(name, "database", args["environment"]),
                },
                "type": "Opaque",
                "stringData": {"ca.crt": args["ca"]},
            }
            made[_AUTHORITY] = kubernetes_child(self, f"{name}-ca", manifest)
        return made

    def _secret(self, login: Login) -> KubernetesObject:
        manifest = role_secret(
            self._name,
            self._args["namespace"],
            self._args["environment"],
            role=login.role,
            password=self._passwords[login.role],
            generation=int(self._args.get("password_generation", 1)),
            secret=self._secret_name(login),
        )
        called = f"{self._name}-app-secret" if self._is_main(login) else f"{self._name}-secret-{login.role}"
        return kubernetes_child(self, called, manifest)

    def _secret_name(self, login: Login) -> str:
        return names.app_secret(self._name) if self._is_main(login) else names.role_secret(self._name, login.role)

    def _outputs(self, made: Sequence[pulumi.Resource], secrets: dict[str, KubernetesObject]) -> None:
        args = self._args
        # urns, known even in preview, make whoever uses an address wait for the grants behind it
        ready = pulumi.Output.all(*(each.urn for each in made))
        self.rw_host = pulumi.Output.all(ready, args["host"]).apply(lambda both: str(both[1]))
        self.ro_host = pulumi.Output.all(ready, args.get("ro_host", args["host"])).apply(lambda both: str(both[1]))
        self.direct_host = self.rw_host
        self.port = pulumi.Output.from_input(int(args.get("port", names.PORT)))
        self.database = pulumi.Output.from_input(self._first)
        self.user = pulumi.Output.from_input(args["databases"][self._first]["app_role"])
        self.sslmode = pulumi.Output.from_input(args.get("sslmode", "verify-full"))
        self.password = self._passwords[args["databases"][self._first]["app_role"]]
        self.passwords = pulumi.Output.all(**self._passwords)
        called = {login.role: self._secret_name(login) for login in rights.logins(args) if login.role in secrets}
        roles = pulumi.Output.all(*(secrets[role].urn for role in called))
        self.role_secrets = roles.apply(lambda _: called)
        self.password_secret = self.role_secrets.apply(
            lambda found: found.get(args["databases"][self._first]["app_role"], "")
        )
        authority = secrets.get(_AUTHORITY)
        self.ca_secret = (
            authority.urn.apply(lambda _: names.ca_secret(self._name)) if authority else pulumi.Output.from_input("")
        )
        register_outputs(self)
