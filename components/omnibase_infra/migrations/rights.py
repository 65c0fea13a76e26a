"""Rights of the roles that read and write rows: what is missing or too much, and the statements that mend it.

They are given once for each role: what the owner makes later is covered by default privileges, and what a migration
takes from a role stays taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_ROWS, _VALUES = ("SELECT", "INSERT", "UPDATE", "DELETE"), ("USAGE", "SELECT")
_KINDS = {"TABLES": _ROWS, "SEQUENCES": _VALUES}
"""What exists or will exist in the schema -> rights of a writer; a reader gets SELECT of them."""

MISSING_ROLES = "SELECT name FROM unnest(%s::text[]) name WHERE to_regrole(quote_ident(name)) IS NULL"
"""Given names of roles; those that there are not."""

MISSING_RIGHTS = """WITH given(role, writes) AS (SELECT unnest(%s::text[]), true UNION ALL
    SELECT unnest(%s::text[]), false),
  wanted(letter, kind, privilege, writes) AS (VALUES ('r', 'TABLES', 'SELECT', false), ('r', 'TABLES', 'INSERT', true),
    ('r', 'TABLES', 'UPDATE', true), ('r', 'TABLES', 'DELETE', true), ('S', 'SEQUENCES', 'SELECT', false),
    ('S', 'SEQUENCES', 'USAGE', true))
SELECT role, kind, privilege FROM given JOIN wanted ON given.writes OR NOT wanted.writes
  WHERE NOT EXISTS (SELECT FROM pg_default_acl d, aclexplode(d.defaclacl) a
    WHERE d.defaclrole = current_user::regrole AND d.defaclnamespace = 'public'::regnamespace
      AND d.defaclobjtype::text = letter AND a.grantee = quote_ident(role)::regrole AND a.privilege_type = privilege)"""
"""Given writers and readers; each right that a role does not get of what the owner will make, with role and kind. The
role is new, or it reads no longer only: so it lacks the right on what is there too."""

OWNED = """SELECT CASE relkind WHEN 'S' THEN 'SEQUENCES' ELSE 'TABLES' END, oid::regclass::text FROM pg_class
  WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  AND pg_get_userbyid(relowner) = current_user ORDER BY 2"""
"""Kind and name of everything with rows or values that the owner has."""

PROBLEMS = """WITH given(role, writes) AS (SELECT unnest(%s::text[]), true UNION ALL SELECT unnest(%s::text[]), false)
SELECT 'PUBLIC has ' || string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type) || ' on the database'
  FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
  WHERE d.datname = current_database() AND a.grantee = 0 HAVING count(*) > 0
UNION ALL
SELECT 'PUBLIC has ' || string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type) || ' on schema public'
  FROM pg_namespace n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a
  WHERE n.nspname = 'public' AND a.grantee = 0 HAVING count(*) > 0
UNION ALL
SELECT role || ' may not connect' FROM given WHERE NOT has_database_privilege(role, current_database(), 'CONNECT')
UNION ALL
SELECT role || ' may not use schema public' FROM given WHERE NOT has_schema_privilege(role, 'public', 'USAGE')
UNION ALL
SELECT role || ' may make objects in schema public' FROM given WHERE has_schema_privilege(role, 'public', 'CREATE')
UNION ALL
SELECT role || ' is a member of the owner' FROM given WHERE pg_has_role(role, current_user, 'MEMBER')
UNION ALL
SELECT role || ' may change ' || c.oid::regclass FROM given, pg_class c
  WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND (NOT writes OR c.oid = to_regclass(%s))
    AND has_table_privilege(role, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')"""
"""Given writers, readers and the table that records; each row says what is missing or too much."""


@dataclass(frozen=True, kw_only=True)
class Rights:
    """Who may do what in one database."""

    database: str
    migrator: str
    writers: Sequence[str]
    readers: Sequence[str]

    @property
    def roles(self) -> list[str]:
        """All that get rights on rows."""
        return [*self.writers, *self.readers]

    def statements(self, missing: Sequence[tuple[str, str, str]], owned: Sequence[tuple[str, str]]) -> Iterator[str]:
        """What the owner runs.

        Args:
            missing: role, kind and right, of which it also gets what is there.
            owned: kind and name of that.
        """
        database = _quoted(self.database)
        # The exporter of metrics is a member of pg_monitor: without it there is no lag of replication to see.
        yield f"GRANT CONNECT ON DATABASE {database} TO {_names([self.migrator, 'pg_monitor', *self.roles])}"
        yield f"REVOKE ALL ON DATABASE {database} FROM PUBLIC"
        yield "REVOKE ALL ON SCHEMA public FROM PUBLIC"
        yield f"REVOKE CREATE ON SCHEMA public FROM {_names(self.roles)}"
        yield f"GRANT USAGE ON SCHEMA public TO {_names(self.roles)}"
        for role in self.roles:
            for kind, rights in _KINDS.items():
                words = ", ".join(rights) if role in self.writers else "SELECT"
                yield f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT {words} ON {kind} TO {_quoted(role)}"
        for role, kind, right in missing:
            for name in (name for owned_kind, name in owned if owned_kind == kind):
                yield f"GRANT {right} ON {kind.removesuffix('S')} {name} TO {_quoted(role)}"


def _names(roles: Sequence[str]) -> str:
    return ", ".join(map(_quoted, roles))


def _quoted(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))
