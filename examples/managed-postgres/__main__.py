"""A database on an external PostgreSQL server (RDS, Supabase, Debian's own package). README.md shows how to run it."""

import sys
from pathlib import Path

import pulumi
import pulumi_postgresql as postgresql
from omnibase_infra import ArgsError, ManagedPostgres, ManagedPostgresArgs

config = pulumi.Config()
args: ManagedPostgresArgs = {
    "environment": config.get("environment") or "dev",
    "host": config.require("host"),
    "port": config.get_int("port") or 5432,
    "sslmode": config.get("sslmode") or "verify-full",
    "database": config.get("database") or "orders",
    "owner": config.get("owner") or "orders_owner",
    "app_role": config.get("appRole") or "orders_app",
    "schema": config.get("schema") or "public",
    "extensions": config.get_object("extensions") or [],
    "administrator": config.require("administrator"),
    "password_generation": config.get_int("passwordGeneration") or 1,
    "protect": config.get_bool("protect") or False,
}
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
for output in ("rw_host", "ro_host", "port", "database", "user", "password", "sslmode"):
    pulumi.export(output, getattr(orders, output))
