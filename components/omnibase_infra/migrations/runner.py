"""The runner: up, down, verify, status and the gate, over all databases of a plan in their order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from omnibase_infra.migrations.errors import AGAIN, BAD_INPUT, MigrationError
from omnibase_infra.migrations.files import IndexChange, Migration, Script, migrations, read_files
from omnibase_infra.migrations.history import APPLIED, APPLYING, REVERTING, History, Record, Step
from omnibase_infra.migrations.plan import Database, Plan
from omnibase_infra.migrations.rights import MISSING_RIGHTS, OWNED, PROBLEMS, Rights
from omnibase_infra.migrations.session import Session, opened

Say = Callable[[str], None]
_GATE_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Status:
    """Where one database stands."""

    database: str
    version: int
    applied: Sequence[Record]
    pending: Sequence[str]
    """Names of what is not there yet."""
    problems: Sequence[str] = field(default=())
    """Why nothing may run, or what is not as promised."""

    @property
    def complete(self) -> bool:
        """Everything is there, and as it should be."""
        return not self.pending and not self.problems


@dataclass(frozen=True, kw_only=True)
class _Set:
    """A database of the plan with its files and its connection."""

    settings: Database
    files: Sequence[Migration]
    session: Session

    def history(self) -> History:
        """Files against rows, as they are now."""
        rows, prefix = self.session.rows(), self.settings.id_prefix
        target = self.settings.target_version
        return History(database=self.session.name, files=self.files, rows=rows, prefix=prefix, target=target)

    def status(self) -> Status:
        """Where it stands, by its record and its indexes."""
        history = self.history()
        found = [*history.drift(), *self._halves(history)]
        row = history.interrupted
        if history.surplus and (row is None or row.state != APPLYING):  # `apply` would have it finished first
            words = f"is at version {history.surplus[-1].version}, above target_version {history.target}"
            found.append(f"database {history.database}: {words}; `apply` takes it back")
        names = [each.name for each in history.pending]
        return Status(
            database=self.session.name,
            version=history.version,
            applied=history.rows,
            pending=names,
            problems=found,
        )

    def _halves(self, history: History) -> Iterator[str]:
        row = history.interrupted
        if row is not None and not self.session.holder():  # otherwise a runner is in the middle of it
            command = "up" if row.state == APPLYING and row not in history.surplus else history.finishing
            yield f"database {history.database}: {row.name} was interrupted while {row.state}; `{command}` finishes it"
        for index in self.session.broken_indexes():
            if row is None:
                yield f"database {history.database}: index {index} is invalid; DROP INDEX CONCURRENTLY {index}"


def read_sets(plan: Plan) -> dict[str, list[Migration]]:
    """The files of every database of a plan, in the plan's order.

    Raises:
        MigrationError: everything that is wrong with any of them.
    """
    found, wrong, code = dict[str, list[Migration]](), [], 0
    for name in plan.order():
        try:
            found[name] = _read(plan.databases[name].directory)
        except MigrationError as error:
            wrong += [f"database {name}: {problem}" for problem in error.problems]
            code = error.exit_code
    if wrong:
        raise MigrationError(*wrong, exit_code=code)
    return found


def _read(directory: Path) -> list[Migration]:
    found = migrations(read_files(directory))
    if not found:
        raise MigrationError(f"there is no migration in {directory}; a wrong directory?", exit_code=BAD_INPUT)
    return found


def up(plan: Plan, say: Say, to: int | None = None) -> None:
    """Run what is missing, database after database, each file in a transaction with its record and its verify queries.

    Nothing runs in any database if one of them has drifted. What failed stops the rest; the same command goes on there.

    Raises:
        MigrationError: drift, a file or a verify query that failed, or something half or missing at the end.
    """
    if to is not None:
        _refuse_many(plan)
    with _prepared(plan) as sets:
        work = [(each, each.history().steps_up(each.settings.target_version if to is None else to)) for each in sets]
        for each, steps in work:
            _give_rights(each, say)
            _advance(each, steps, say)
            if to is None:
                _refuse_incomplete(each)


def apply(plan: Plan, say: Say) -> None:
    """Bring every database to its `target_version`, default its newest: first what goes back, the last database of the
    order first, then what goes on.

    Nothing runs in any database if one of them has drifted, or cannot get there. A failure stops the rest.

    Raises:
        MigrationError: as `up` and `down`.
    """
    with _prepared(plan) as sets:
        work = [(each, each.history().steps_to_target()) for each in sets]
        for each, steps in reversed(work):
            if _goes_back(steps):
                _advance(each, steps, say)
        for each, steps in work:
            _give_rights(each, say)
            if not _goes_back(steps):
                _advance(each, steps, say)
            _refuse_incomplete(each)


def down(plan: Plan, say: Say, to: int) -> None:
    """Take back what is above a version, newest first, in the one database of the plan.

    Raises:
        MigrationError: more than one database, no such version, no way back, or a file that failed.
    """
    _refuse_many(plan)
    with _prepared(plan) as sets:
        for each in sets:
            _advance(each, each.history().steps_down(to), say)


def planned(plan: Plan, to: int | None = None) -> dict[str, list[Step]]:
    """What `apply` would run, or with `to` what `up` or `down` would; database -> steps, in that order. Changes
    nothing.

    Raises:
        MigrationError: as they would.
    """
    if to is not None:
        _refuse_many(plan)
    with _opened(plan, lock=False) as sets:
        work = [(each.session.name, _steps(each.history(), to)) for each in _undrifted(sets)]
    back = [(name, steps) for name, steps in reversed(work) if _goes_back(steps)]
    return dict([*back, *(each for each in work if each not in back)])


def _steps(history: History, to: int | None) -> list[Step]:
    if to is None:
        return history.steps_to_target()
    return history.steps_down(to) if to < history.version else history.steps_up(to)


def status(plan: Plan) -> list[Status]:
    """Where each database stands. Changes nothing and runs no file.

    Raises:
        MigrationError: a database is not reached, or files are wrong.
    """
    with _opened(plan, lock=False) as sets:
        return [each.status() for each in sets]


def verify(plan: Plan) -> list[Status]:
    """The same, with the verify queries of what is applied, and the tables that must be there.

    Raises:
        MigrationError: a database is not reached, or files are wrong.
    """
    with _opened(plan, lock=False) as sets:
        return [_verified(each) for each in sets]


def wait(plan: Plan, say: Say, seconds: float) -> None:
    """The gate: return when every database has all that the files say, at the checksums that they have.

    What is newer than these files is no hindrance: an older program restarts beside a newer schema.

    Raises:
        MigrationError: not within `seconds`, with what is missing.
    """
    deadline = time.monotonic() + seconds
    told = ""
    read_sets(plan)  # what is wrong with files does not pass by waiting
    while missing := _missing(plan.hurried(deadline - time.monotonic())):
        if time.monotonic() > deadline:
            raise MigrationError(*(f"{line}; waited {seconds:g} s" for line in missing))
        if told != (told := "; ".join(missing)):
            say(f"waiting: {told}")
        time.sleep(_GATE_PAUSE_SECONDS)


def _missing(plan: Plan) -> list[str]:
    """Why the gate stays shut."""
    try:
        with _opened(plan, lock=False) as sets:
            return [line for each in sets for line in _missing_of(each)]
    except MigrationError as error:
        return list(error.problems)


def _missing_of(it: _Set) -> Iterator[str]:
    history = it.history()
    known = {each.version for each in it.files}
    older = replace(history, rows=[row for row in history.rows if row.version in known])
    yield from older.drift()
    if older.pending:
        names = ", ".join(each.name for each in older.pending)
        yield f"database {history.database}: not applied yet: {names}"
    yield from _missing_tables(it)


def _missing_tables(it: _Set) -> Iterator[str]:
    newest = max(each.version for each in it.files)
    if it.settings.target_version not in (None, newest):
        return  # an older schema may lack them
    for table in it.settings.required_tables:
        if not it.session.exists(table):
            yield (
                f"database {it.session.name}: required table {table} is not there; a migration has to make it, or "
                "required_tables must not name it"
            )


def _refuse_many(plan: Plan) -> None:
    if len(plan.databases) > 1:
        known = ", ".join(plan.databases)
        words = f"a version belongs to one database; name it with --database, one of {known}"
        raise MigrationError(words, exit_code=BAD_INPUT)


@contextmanager
def _opened(plan: Plan, *, lock: bool) -> Iterator[list[_Set]]:
    """Connections to all databases, in the plan's order, which is also that of the locks."""
    files = read_sets(plan)
    with ExitStack() as stack:
        found = []
        for name in plan.order():
            session = opened(name, plan.databases[name], plan.limits)
            stack.callback(session.close)
            if lock:
                session.lock()
            found.append(_Set(settings=plan.databases[name], files=files[name], session=session))
        yield found


@contextmanager
def _prepared(plan: Plan) -> Iterator[list[_Set]]:
    """The same, locked, without drift, each with its record."""
    with _opened(plan, lock=True) as sets:
        _undrifted(sets)
        for each in sets:
            each.session.prepare_tracking()
        yield sets


def _undrifted(sets: list[_Set]) -> list[_Set]:
    problems = [problem for each in sets for problem in each.history().drift()]
    if problems:
        raise MigrationError(*problems)
    return sets


def _rights(it: _Set) -> Rights:
    place = it.settings.connection
    return Rights(
        database=place.database, migrator=place.user, writers=it.settings.writers, readers=it.settings.readers
    )


def _rights_problems(it: _Set) -> list[str]:
    rights = _rights(it)
    if not rights.roles:
        return []
    found = [words for (words,) in it.session.ask(PROBLEMS, rights.writers, rights.readers, it.settings.tracking_table)]
    found += [f"{role} gets no {right} on new {kind.lower()}" for role, kind, right in _missing_rights(it)]
    return [f"database {it.session.name}: {problem}" for problem in found]


def _missing_rights(it: _Set) -> Sequence[tuple[str, str, str]]:
    rights = _rights(it)
    return it.session.ask(MISSING_RIGHTS, rights.writers, rights.readers)


def _give_rights(it: _Set, say: Say) -> None:
    """Rights of readers and writers, where any is missing."""
    if not _rights_problems(it):
        return
    session, rights = it.session, _rights(it)
    with session.transaction():
        for statement in rights.statements(_missing_rights(it), session.ask(OWNED)):
            session.ask(statement)
        session.hide_record()
    if problems := _rights_problems(it):
        raise MigrationError(*problems)
    say(f"{session.name}: rights given to {', '.join(rights.roles)}")


def _refuse_incomplete(it: _Set) -> None:
    problems = [*it.status().problems, *_missing_tables(it)]
    if problems:
        raise MigrationError(*problems)


def _verified(it: _Set) -> Status:
    found = it.status()
    there = [each for each in it.files if each.version <= found.version and each.verify is not None]
    problems = [*found.problems, *(line for each in there for line in _broken_promise(it.session, each))]
    problems += _rights_problems(it)
    if not found.pending:
        problems += _missing_tables(it)
    return replace(found, problems=problems)


def _broken_promise(session: Session, migration: Migration) -> Iterator[str]:
    try:
        _keep_promise(session, migration)
    except MigrationError as error:
        if error.exit_code == AGAIN:
            raise
        yield from error.problems


def _advance(it: _Set, steps: Sequence[Step], say: Say) -> None:
    """Run steps of one direction, and say where that led."""
    for step in steps:
        _run(it, step, say)
    word = "taken back" if _goes_back(steps) else "applied"
    say(f"{it.session.name}: version {it.history().version}, {len(steps)} {word}")


def _goes_back(steps: Sequence[Step]) -> bool:
    return bool(steps) and not steps[0].forward


def _run(it: _Set, step: Step, say: Say) -> None:
    """One file with its record."""
    it.session.fresh()
    start = time.monotonic()
    if step.script.change is not None:
        _run_concurrently(it, step, step.script.change, say)
    else:
        _run_in_transaction(it, step, start)
    word = "applied" if step.forward else "taken back"
    say(f"{it.session.name}: {step.migration.name} {word} in {_milliseconds(start)} ms")


def _run_in_transaction(it: _Set, step: Step, start: float) -> None:
    session = it.session
    with session.transaction(step.script):
        session.run(step.script)
        session.fresh()  # the record is the owner's, whatever the file has SET
        if step.forward:
            session.insert(_record(it, step.migration, APPLIED), _milliseconds(start))
            _keep_promise(session, step.migration)
        else:
            session.forget(step.migration.version)


def _keep_promise(session: Session, migration: Migration) -> None:
    """Run the verify queries. In the transaction of the file, what is not as promised takes it back; an index that was
    built outside of one stays, and every `apply` and `verify` says so."""
    if migration.verify is None:
        return
    try:
        with session.transaction(migration.verify, read_only=True):
            session.run(migration.verify)
    except MigrationError as error:
        if error.exit_code == AGAIN:
            raise
        words = f"what {migration.name} promises is not there"
        raise MigrationError(*(f"{problem}; {words}" for problem in error.problems)) from error


def _run_concurrently(it: _Set, step: Step, change: IndexChange, say: Say) -> None:
    """A file that no transaction can undo: that it begins is recorded first, and what it left is cleaned up."""
    session, start = it.session, time.monotonic()
    if not step.resumed:
        _begin(it, step, change)
    session.unhurried()
    if not (step.resumed and _cleaned(session, step.script, change, say)):
        try:
            session.run(step.script)
        except MigrationError as error:
            if error.exit_code != AGAIN:
                _undo(session, step, change, error)
            raise
    session.fresh()
    _end(session, step, start)
    if step.forward:
        _keep_promise(session, step.migration)


def _begin(it: _Set, step: Step, change: IndexChange) -> None:
    if change.comes and it.session.index_is_valid(change.index) is not None:
        raise it.session.failure(f"{step.script.file}: index {change.index} is there already; drop it, or the file")
    if step.forward:
        it.session.insert(_record(it, step.migration, APPLYING), 0)
    else:
        it.session.mark(step.migration.version, REVERTING, 0)


def _end(session: Session, step: Step, start: float) -> None:
    if step.forward:
        session.mark(step.migration.version, APPLIED, _milliseconds(start))
    else:
        session.forget(step.migration.version)


def _undo(session: Session, step: Step, change: IndexChange, error: MigrationError) -> None:
    """After an error of the statement: half a new index goes; half a dropped one stays, for the next try.

    In no more time than any other statement has: what held up the index holds this up too. Then it also stays.
    """
    try:
        session.fresh()
        if change.comes:
            _clean(session, step.script, change)
        elif session.index_is_valid(change.index) is False:
            return
        if step.forward:
            session.forget(step.migration.version)
        else:
            session.mark(step.migration.version, APPLIED, 0)
    except MigrationError as left:
        words = f"half of index {change.index} stays, and the next try begins with it"
        problems = [*error.problems, *(f"{problem}; {words}" for problem in left.problems)]
        raise MigrationError(*problems, exit_code=error.exit_code) from error


def _cleaned(session: Session, script: Script, change: IndexChange, say: Say) -> bool:
    """What an interrupted file left: True if it was done after all, otherwise half an index is taken away."""
    valid = session.index_is_valid(change.index)
    if (valid is True) if change.comes else (valid is None):
        return True
    if change.comes and valid is False:
        say(f"{session.name}: {script.file} was interrupted; index {change.index} is invalid, dropped and built again")
        _clean(session, script, change)
    return False


def _clean(session: Session, script: Script, change: IndexChange) -> None:
    """Drop what is left of an index that was not finished; an error names the file that made it."""
    if session.index_is_valid(change.index) is False:
        session.run(replace(script, text=f"DROP INDEX CONCURRENTLY IF EXISTS {change.index}"))


def _record(it: _Set, migration: Migration, state: str) -> Record:
    down = migration.down.sha256 if migration.down else ""
    return Record(
        version=migration.version,
        name=f"{it.settings.id_prefix}{migration.name}",
        sha256_up=migration.up.sha256,
        sha256_down=down,
        state=state,
    )


def _milliseconds(start: float) -> int:
    return round((time.monotonic() - start) * 1000)
