"""Create and update: what is sent to the API server, and what a preview can say before it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from local.plugins.common.errors import ResourceError
from local.plugins.common.propertypath import Path, parse
from local.plugins.common.values import Object, clone, contains_unknown, dig, put
from local.plugins.kubernetes import awaiting, checkpoint, gvk, naming, overrides, ownership
from local.plugins.kubernetes.client import ApiError, CancelledError, UnreachableError
from local.plugins.kubernetes.cluster import CONFLICT, FORBIDDEN, NOT_FOUND, Cluster
from local.plugins.kubernetes.diff import changes
from local.plugins.kubernetes.discovery import NoMatchError
from local.plugins.kubernetes.prune import prune
from local.plugins.kubernetes.sameness import normalize
from local.plugins.kubernetes.session import Session
from local.plugins.kubernetes.values import plain

_RETRY_PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0)  # for what comes up beside it: namespace, CRD, webhook
_CONFLICT_PAUSES = (0.0, 0.1, 0.3, 1.0)  # between attempts to write what a controller writes to as well
_SERVER_FAULT = 500
_EXISTS = """{problem}

The resource already exists in the cluster. This can happen when:

  - Renaming a Pulumi resource: use an alias to preserve the identity,
    or use deleteBeforeReplace if the resource needs replacement.
  - Managing an existing resource: use a Patch resource (e.g. NamespacePatch)
    to manage specific fields without owning the resource lifecycle.
  - Adopting a resource into Pulumi: use `pulumi import`. Note that
    protected resources (e.g. kube-system) cannot be deleted on destroy.
  - Intentional upsert: set upsertExistingObjects on the provider to allow
    server-side apply to update existing objects on create."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the engine asks for."""

    urn: str
    news: Object
    """Checked inputs, with secret marks."""
    timeout: float = 0.0
    """Seconds from customTimeouts, 0 where none are set."""
    preview: bool = False


def field_manager(session: Session, recorded: Object, inputs: Object) -> str:
    """The owner's name in server-side apply: the annotation's, else the recorded one, else a new one."""
    if not session.settings.server_side_apply:
        return ownership.CREATOR
    chosen = overrides.value(inputs, overrides.PATCH_FIELD_MANAGER) or checkpoint.note(
        recorded, checkpoint.FIELD_MANAGER
    )
    return chosen or naming.unique("pulumi-kubernetes-")


def create(session: Session, request: Request) -> tuple[str, Object]:
    """Create the object and wait until it is ready; returns its id and the state to record.

    A preview asks the server for a dry run, and returns the inputs as they are (with an empty id) where it cannot.

    Raises:
        ResourceError: nothing was created.
        PartialFailureError: it was created but did not become ready.
    """
    if request.preview and session.cluster is None:
        session.warn_unreachable(request.urn)
        return "", request.news
    inputs = _sendable(request.news)
    patches = gvk.is_patch(request.urn, inputs)
    if request.preview and _cannot_preview(session, inputs, patches):
        return "", request.news
    cluster = session.require()
    manager = field_manager(session, request.news, inputs)
    upsert = session.settings.server_side_apply and (patches or session.settings.upsert_existing)

    def send() -> Object:
        if upsert:
            force = _force(session, inputs, None, request.preview)
            return cluster.apply(inputs, manager, force=force, dry_run=request.preview)
        warned: list[str] = []
        found = cluster.create(inputs, ownership.CREATOR, dry_run=request.preview, warned=warned)
        _warn_about_fields(session, request.urn, warned)
        return found

    try:
        live = send() if request.preview else _with_retries(session, request.urn, send)
    except (ApiError, NoMatchError, UnreachableError, CancelledError) as problem:
        if request.preview and _expected_in_preview(problem):
            return "", request.news
        raise _refused(request.urn, inputs, manager, problem) from problem

    def record(found: Object) -> Object:
        return checkpoint.build(inputs, found, request.news, str(inputs["apiVersion"]), manager)

    if request.preview:
        live.pop("status", None)  # a program that reads it must see it as unknown, not as empty
        return "", record(live)
    what = f'resource "{request.urn}" was successfully created, but the Kubernetes API server reported that it failed'
    ready = awaiting.until_ready(
        session, request.urn, inputs, live, before=None, timeout=request.timeout, record=record, what=what
    )
    _announce_kind(cluster, inputs)
    return gvk.identity(ready), record(ready)


def update(session: Session, request: Request, state: Object, ignored: list[str]) -> Object:
    """Apply the new inputs to the live object and wait until it is ready; returns the state to record.

    Raises:
        ResourceError: nothing was changed.
        PartialFailureError: it was changed but did not become ready.
    """
    inputs = _sendable(request.news)
    if request.preview and (contains_unknown(inputs) or not session.serves(inputs)):
        if session.cluster is None:
            session.warn_unreachable(request.urn)
        return request.news
    cluster = session.require()
    old_inputs, old_live = checkpoint.parse(state)
    before_manager = field_manager(session, state, old_inputs)
    manager = field_manager(session, state, inputs)
    api_version = checkpoint.note(state, checkpoint.INITIAL_API_VERSION) or str(inputs["apiVersion"])
    if gvk.name(old_live):
        put(inputs, gvk.name(old_live), "metadata", "name")

    def record(found: Object) -> Object:
        return checkpoint.build(inputs, found, request.news, api_version, manager)

    try:
        change = _Update(session, cluster, request, old_inputs, [parse(text) for text in ignored], manager)
        before, live = change.send(inputs)
        if not request.preview and before_manager != manager:
            relinquish(cluster, live, before_manager)
    except (ApiError, NoMatchError, UnreachableError, CancelledError) as problem:
        if request.preview and isinstance(problem, ApiError) and problem.status in (FORBIDDEN, _SERVER_FAULT):
            return request.news
        raise ResourceError(f'update of resource "{request.urn}" failed: {_explain(manager, problem)}') from problem
    if request.preview:
        return record(live)
    what = f'the Kubernetes API server reported that "{gvk.identity(live)}" failed'
    ready = awaiting.until_ready(
        session, request.urn, inputs, live, before=before, timeout=request.timeout, record=record, what=what
    )
    _announce_kind(cluster, inputs)
    return record(ready)


@dataclass(frozen=True)
class _Update:
    session: Session
    cluster: Cluster
    request: Request
    old_inputs: Object
    ignored: list[Path]
    manager: str

    def send(self, inputs: Object) -> tuple[Object, Object]:
        """Change the live object; returns it as it was before and as it is now.

        A controller that writes to the object between our read and our write makes the write fail: then both are
        done again. A conflict of field managers is another thing, and stays.
        """
        for pause in (*_CONFLICT_PAUSES, None):
            before = self.cluster.read(inputs, gvk.name(inputs))
            try:
                return before, self._send(before, clone(inputs))
            except ApiError as problem:
                if pause is None or problem.status != CONFLICT or problem.causes:
                    raise
                if self.session.cancelled.wait(pause):
                    raise CancelledError("the operation was cancelled") from problem
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _send(self, before: Object, inputs: Object) -> Object:
        """Change the live object in the way that fits its kind and the provider's settings."""
        dry_run = self.request.preview
        if gvk.of_object(inputs).kind == "CustomResourceDefinition":
            # A whole new object, as `kubectl replace` does: applying merges lists of versions in surprising ways.
            put(inputs, before["metadata"]["resourceVersion"], "metadata", "resourceVersion")
            return self.cluster.replace(inputs, self.manager, dry_run=dry_run)
        if not self.session.settings.server_side_apply:
            return self._merge(before, inputs, dry_run)
        if not dry_run and not gvk.is_patch(self.request.urn, inputs):
            taken = ownership.take_over(before, self.manager)
            if taken:
                before = self.cluster.patch(before, taken)
        ownership.leave_ignored(inputs, before, self.ignored, self.manager)
        force = _force(self.session, inputs, before, dry_run)
        return self.cluster.apply(inputs, self.manager, force=force, dry_run=dry_run)

    def _merge(self, before: Object, inputs: Object, dry_run: bool) -> Object:
        ownership.leave_ignored(inputs, before, self.ignored, self.manager)
        patch: Object = {}
        for change in changes(prune(before, self.old_inputs), inputs):
            keys = [step for step in change.path if isinstance(step, str)]
            inside_list = len(keys) < len(change.path)
            keys = [str(step) for step in _until_list(change.path)] if inside_list else keys
            value = dig(inputs, *keys) if inside_list or change.op != "delete" else None
            put(patch, value, *keys)
        return self.cluster.patch(before, patch, manager=self.manager, dry_run=dry_run)


def _until_list(path: Path) -> Path:
    """A merge patch replaces lists as a whole."""
    first = next(index for index, step in enumerate(path) if isinstance(step, int))
    return path[:first]


def _sendable(news: Object) -> Object:
    inputs: Object = plain(news)
    for key in (checkpoint.FIELD_MANAGER, checkpoint.INITIAL_API_VERSION):
        inputs.pop(key, None)
    return inputs if contains_unknown(inputs) else normalize(inputs)


def _cannot_preview(session: Session, inputs: Object, patches: bool) -> bool:
    if contains_unknown(inputs) or patches or not session.settings.server_side_apply:
        return True
    return not session.serves(inputs)


def _expected_in_preview(problem: Exception) -> bool:
    """Refusals that the update itself need not meet: what is missing now is created before."""
    if isinstance(problem, NoMatchError):
        return True
    if not isinstance(problem, ApiError):
        return False
    dry_run_off = "does not support dry run" in problem.message or "dryRun" in problem.message
    return (
        problem.missing_namespace
        or problem.status in (FORBIDDEN, NOT_FOUND)
        or problem.reason == "AlreadyExists"
        or _webhook_down(problem)
        or dry_run_off
    )


def _webhook_down(problem: ApiError) -> bool:
    """An operator's admission webhook that is not up yet."""
    return problem.status >= _SERVER_FAULT and "failed calling webhook" in problem.message


def _passes(problem: ApiError | NoMatchError) -> bool:
    """Refusals that end by themselves: something is not there yet, or its predecessor not gone yet."""
    if isinstance(problem, NoMatchError):
        return True
    going = problem.reason == "AlreadyExists" and "object is being deleted" in problem.message
    return going or problem.status == NOT_FOUND or _webhook_down(problem)


def _with_retries(session: Session, urn: str, send: Callable[[], Object]) -> Object:
    """Send again while something that the program creates at the same time is missing."""
    log = session.resource_log(urn)
    for attempt, pause in enumerate(_RETRY_PAUSES):
        try:
            live = send()
        except (ApiError, NoMatchError) as problem:
            if not _passes(problem):
                raise
            log.status(f"Retry #{attempt}; creation failed: {problem}")
            if session.cancelled.wait(pause):
                raise CancelledError("the operation was cancelled") from problem
        else:
            log.clear()
            return live
    return send()


def _refused(urn: str, inputs: Object, manager: str, problem: Exception) -> ResourceError:
    if isinstance(problem, NoMatchError):
        return ResourceError(
            f'creation of resource "{urn}" with kind {gvk.of_object(inputs)} failed because the Kubernetes API server '
            "reported that the apiVersion for this resource does not exist. Verify that any required CRDs have been "
            f"created: {problem}"
        )
    return ResourceError(
        f'resource "{urn}" was not successfully created by the Kubernetes API server: {_explain(manager, problem)}'
    )


def _explain(manager: str, problem: Exception) -> str:
    if isinstance(problem, NoMatchError):
        return (
            "the Kubernetes API server reported that the apiVersion for this resource does not exist. Verify that any "
            f"required CRDs have been created: {problem}"
        )
    if isinstance(problem, ApiError) and problem.reason == "AlreadyExists":
        return _EXISTS.format(problem=problem)
    if isinstance(problem, ApiError) and problem.status == CONFLICT and problem.causes:
        return (
            "Server-Side Apply field conflict detected: another manager owns a field that this resource sets.\n"
            f'The resource managed by field manager "{manager}" had an apply conflict: {problem}\n'
            "Leave the field out of the program, list it under ignoreChanges, or take it over with the annotation "
            '`pulumi.com/patchForce: "true"`'
        )
    if isinstance(problem, ApiError) and problem.reason == "NotFound" and not problem.missing_namespace:
        return f"{problem}. If it was deleted outside of Pulumi, run `pulumi refresh` first"
    return str(problem)


def _force(session: Session, inputs: Object, live: Object | None, preview: bool) -> bool:
    """Whether fields of other managers are taken over."""
    if overrides.is_true(inputs, overrides.PATCH_FORCE) or session.settings.patch_force:
        return True
    if preview and (live is None or ownership.created_here(live) or ownership.take_over(live, "")):
        return True  # the update takes those fields over first, which a dry run cannot
    return live is not None and ownership.unowned(live)


def relinquish(cluster: Cluster, live: Object, manager: str) -> None:
    """Give up every field that an earlier manager of this resource owned."""
    bare = {"apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": {"name": gvk.name(live)}}
    if gvk.namespace(live):
        bare["metadata"]["namespace"] = gvk.namespace(live)
    cluster.apply(bare, manager, force=False, dry_run=False)


def _warn_about_fields(session: Session, urn: str, warned: list[str]) -> None:
    """A misspelt field is dropped by the server without an error: the program's author must hear of it."""
    for text in warned:
        if text.startswith("unknown field") or text.startswith("duplicate field"):
            session.log.say("warning", urn, f"the API server ignores an input: {text}")


def _announce_kind(cluster: Cluster, inputs: Object) -> None:
    """After a new CustomResourceDefinition its objects can be created: forget what was known."""
    if gvk.of_object(inputs).kind == "CustomResourceDefinition":
        cluster.discovery.refresh(force=True)
