"""The files of a migration set: how they are named, what is refused of them, and what each of them is."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from omnibase_infra.migrations.errors import BAD_INPUT, MigrationError, refuse
from omnibase_infra.migrations.sql import SqlError, Statement, statements

_NAME = re.compile(r"^(?P<number>\d{4})_(?P<title>[a-z0-9_]+)\.(?P<role>up|down|verify)\.sql$")
_MARKER = re.compile(r"^--\s*migrate:\s*(?P<word>.*?)\s*$", re.MULTILINE)
CONCURRENTLY, IRREVERSIBLE = "concurrently", "irreversible"
_MARKERS = (CONCURRENTLY, IRREVERSIBLE)
_TRANSACTION_WORDS = ("ABORT", "BEGIN", "COMMIT", "END", "RELEASE", "ROLLBACK", "SAVEPOINT")


@dataclass(frozen=True, kw_only=True)
class IndexChange:
    """What a file marked `concurrently` does: one index comes or goes."""

    index: str
    """Its name as written in SQL."""
    comes: bool
    """True for CREATE, False for DROP."""


@dataclass(frozen=True, kw_only=True)
class Script:
    """One file that runs."""

    file: str
    text: str
    change: IndexChange | None = None
    """Set if it is marked `concurrently`: it then runs outside a transaction."""

    @property
    def sha256(self) -> str:
        """Checksum of its bytes."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Migration:
    """One step of the schema and the way back."""

    version: int
    """Its number; 1 is the first."""
    name: str
    """`NNNN_title`."""
    up: Script
    down: Script | None
    """None where the up file is marked `irreversible`."""
    verify: Script | None
    """Queries that fail if what it promises is not there, from its own version on for ever."""


def read_files(directory: Path) -> dict[str, str]:
    """Every `*.sql` of a directory, name -> text; nothing else is read.

    Raises:
        MigrationError: no such directory, or files that are not UTF-8; all of them together.
    """
    if not directory.is_dir():
        raise MigrationError(f"migrations directory {directory} does not exist", exit_code=BAD_INPUT)
    found, unreadable = dict[str, str](), []
    for path in sorted(directory.glob("*.sql")):
        try:
            found[path.name] = path.read_bytes().decode()
        except UnicodeDecodeError as error:
            unreadable.append(f"{path.name}: byte {error.start} is not UTF-8; write the file again in UTF-8")
    refuse(unreadable)
    return found


def migrations(files: Mapping[str, str]) -> list[Migration]:
    """The migrations of a set, in order.

    Raises:
        MigrationError: the set cannot be used, see `problems`.
    """
    refuse(problems(files))
    roles = _by_number(files)
    return [_migration(number, files, roles[number]) for number in sorted(roles)]


def set_problems(files: Mapping[str, str], target_version: int | None = None) -> list[str]:
    """Why a set cannot lead a database to a version, default its newest: `problems`, no file, or no such version."""
    try:
        newest = max((each.version for each in migrations(files)), default=0)
    except MigrationError as error:
        return list(error.problems)
    if not newest:
        return ["there is no file; a wrong directory?"]
    if target_version is not None and not 0 <= target_version <= newest:
        return [f"target_version={target_version}: there is no such version; known are 0 to {newest}"]
    return []


def problems(files: Mapping[str, str]) -> list[str]:
    """Everything for which a set is refused: names, numbers, missing files, texts, markers."""
    found = [f"{name}: {problem}" for name, text in files.items() for problem in _text_problems(name, text)]
    return [*found, *_number_problems(files)]


def _by_number(files: Mapping[str, str]) -> dict[int, dict[str, list[str]]]:
    """Number -> role (up, down, verify) -> names of files."""
    found: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name in sorted(files):
        if match := _NAME.match(name):
            found[int(match["number"])][match["role"]].append(name)
    return found


def _number_problems(files: Mapping[str, str]) -> Iterator[str]:
    roles = _by_number(files)
    ups = {number for number, each in roles.items() if each["up"]}
    missing = sorted({*range(1, max(ups, default=0) + 1)} - ups)
    if missing:
        numbers = ", ".join(f"{number:04d}" for number in missing)
        yield f"up files go to {max(ups):04d}, but {numbers} is missing; numbers are 0001, 0002 and so on without a gap"
    for number, each in sorted(roles.items()):
        titles = sorted({name.split(".")[0] for names in each.values() for name in names})
        if len(titles) > 1:
            yield f"number {number:04d} is used more than once: {', '.join(titles)}; give one of them the next number"
        elif not each["up"]:
            yield f"{titles[0]} has no up file"
        else:
            yield from _way_back_problems(titles[0], files[each["up"][0]], has_down=bool(each["down"]))


def _way_back_problems(name: str, up: str, *, has_down: bool) -> Iterator[str]:
    irreversible = IRREVERSIBLE in _markers(up)
    if not has_down and not irreversible:
        yield f"{name} has no down file; write {name}.down.sql, or `-- migrate: {IRREVERSIBLE}` into the up file"
    if has_down and irreversible:
        yield f"{name} is marked {IRREVERSIBLE} and has a down file; take one of them away"


def _text_problems(name: str, text: str) -> Iterator[str]:
    match = _NAME.match(name)
    if not match:
        yield "must be named NNNN_name.up.sql, .down.sql or .verify.sql, the name in a-z, 0-9 and _"
        return
    if match["number"] == "0000":
        yield "numbers begin with 0001"
    if text.startswith("\ufeff") or "\r" in text or "\0" in text:
        yield "has a byte order mark, carriage returns or a zero byte; write it in UTF-8 with plain line ends"
        return
    try:
        found = statements(text)
    except SqlError as error:
        yield str(error)
        return
    if not found:
        yield "holds no statement"
    yield from _statement_problems(found)
    yield from _marker_problems(match["role"], _markers(text), found)


def _statement_problems(found: list[Statement]) -> Iterator[str]:
    for each in found:
        first = each.tokens[0].upper()
        if first in _TRANSACTION_WORDS or each.starts("START", "TRANSACTION") or each.starts("PREPARE", "TRANSACTION"):
            yield f"line {each.line}: {first} is not allowed; the runner begins and ends the transaction"
        if first == "\\":
            yield f"line {each.line}: commands of psql are not SQL"
        if first == "COPY" and "STDIN" in map(str.upper, each.tokens):
            yield f"line {each.line}: COPY FROM STDIN has no input here; use INSERT"


def _marker_problems(role: str, markers: list[str], found: list[Statement]) -> Iterator[str]:
    allowed = {"up": _MARKERS, "down": (CONCURRENTLY,), "verify": ()}[role]
    for marker in markers:
        if marker not in allowed:
            known = ", ".join(allowed) or "none"
            yield f"`-- migrate: {marker}` means nothing in a file of kind {role}; known: {known}"
    if CONCURRENTLY in markers:
        yield from _concurrent_problems(found)
    else:
        for each in found:
            if _index_words(each) is not None:
                yield (
                    f"line {each.line}: CONCURRENTLY cannot run in a transaction; "
                    f"give it a file of its own, marked `-- migrate: {CONCURRENTLY}`"
                )


def _concurrent_problems(found: list[Statement]) -> Iterator[str]:
    if len(found) > 1:
        yield f"is marked {CONCURRENTLY} and holds {len(found)} statements; it may hold one, as nothing could undo half"
    elif found and _index_words(found[0]) is None:
        yield f"is marked {CONCURRENTLY}, which is for CREATE INDEX CONCURRENTLY and DROP INDEX CONCURRENTLY only"
    elif found and _index_change(found[0]) is None:
        yield "must name its index, without IF [NOT] EXISTS: that would take a half-built index for a whole one"


def _index_words(statement: Statement) -> list[str] | None:
    """What follows CREATE or DROP INDEX CONCURRENTLY; None for other statements."""
    tokens = statement.tokens
    if statement.starts("CREATE", "UNIQUE"):
        tokens = [tokens[0], *tokens[2:]]
    head = [token.upper() for token in tokens[:3]]
    return tokens[3:] if head[0] in ("CREATE", "DROP") and head[1:] == ["INDEX", "CONCURRENTLY"] else None


def _index_change(statement: Statement) -> IndexChange | None:
    rest = _index_words(statement) or []
    comes = statement.starts("CREATE")
    words = [token.upper() for token in rest]
    name = rest[: words.index("ON")] if comes and "ON" in words else [] if comes else rest
    plain = len(name) == 1 or (len(name) == len(("schema", ".", "name")) and name[1] == ".")
    return IndexChange(index="".join(name), comes=comes) if plain else None


def _markers(text: str) -> list[str]:
    """Words of the lines `-- migrate: word`."""
    return [match["word"] for match in _MARKER.finditer(text)]


def _migration(number: int, files: Mapping[str, str], roles: Mapping[str, list[str]]) -> Migration:
    scripts = {role: _script(names[0], files[names[0]]) for role, names in roles.items() if names}
    return Migration(
        version=number,
        name=scripts["up"].file.split(".")[0],
        up=scripts["up"],
        down=scripts.get("down"),
        verify=scripts.get("verify"),
    )


def _script(file: str, text: str) -> Script:
    change = _index_change(statements(text)[0]) if CONCURRENTLY in _markers(text) else None
    return Script(file=file, text=text, change=change)
