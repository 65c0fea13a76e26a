"""A database on an external PostgreSQL server (RDS, Supabase, Debian's own package). README.md shows how to run it."""

import sys
from pathlib import Path

import pulumi
import pulumi_postgresql as postgresql
from omnibase_infra import ArgsError, ManagedDatabaseArgs, ManagedPostgres, ManagedPostgresArgs

config = pulumi.Config()
databases: dict[str, ManagedDatabaseArgs] = config.get_object("databases") or {
    "orders": {"owner": "orders_owner", "app_role": "orders_app"}
}
args: ManagedPostgresArgs = {
    "environment": config.get("environment") or "dev",
    "host": config.require("host"),
    "port": config.get_int("port") or 5432,
    "sslmode": config.get("sslmode") or "verify-full",
    "databases": databases,
    "schema": config.get("schema") or "public",
    "administrator": config.require("administrator"),
    "password_generation": config.get_int("passwordGeneration") or 1,
    "protect": config.get_bool("protect") or False,
}
for setting, field in {"firstDatabase": "first_database", "monitorRole": "monitor_role"}.items():
    name = config.get(setting)
    if name:
        args[field] = name  # type: ignore[literal-required]  # its keys
authority = config.get("ca")  # path of a file, as the service offers it for download
if authority:
    args["ca"] = Path(authority).read_text(encoding="utf-8")
server = postgresql.Provider(
    "server",
    host=args["host"],
    port=args["port"],
    username=config.require("administrator"),
    password=config.require_secret("administratorPassword"),
    superuser=False,  # administrators of managed services are none
    sslmode=args["sslmode"],
    sslrootcert=authority,
    connect_timeout=15,
)
try:
    orders = ManagedPostgres("orders", args, pulumi.ResourceOptions(providers=[server]))
except ArgsError as error:
    pulumi.log.error(str(error))
    sys.exit(32)  # the language host's code for "the reason is on the screen already"
for output in ("rw_host", "ro_host", "port", "database", "user", "password", "passwords", "sslmode"):
    pulumi.export(output, getattr(orders, output))
