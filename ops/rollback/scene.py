"""One stack as a rollback meets it: its settings, what was deployed, its cluster, and the deployment itself."""

from __future__ import annotations

import datetime
import http.client
import os
import signal
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omnibase_infra.config import ConfigError, ImagesError, StackConfig, load_stack_file, resolve_images
from omnibase_infra.config.images import LOCK_VARIABLE
from omnibase_infra.config.section import repository_of
from omnibase_infra.naming import stack_namespace

from local import machine
from local import stack as stacks
from local.errors import InputError, LocalError, StoppedError
from local.paths import Paths
from local.plugins.kubernetes.client import ApiError, UnreachableError
from local.progress import Progress
from local.stack import Stack
from ops.engine import EngineCommand
from ops.rollback.attempt import Way
from ops.rollback.edge import Door, door
from ops.rollback.history import Version, serving, versions
from ops.rollback.judge import Before, Judge
from ops.rollback.live import Live
from ops.rollback.target import Chosen
from ops.rotate.served import Kubectl
from ops.status import fetch
from ops.status.cluster import cluster_client, route_interface
from ops.status.documents import Document, name_of
from ops.status.engine import engine_status

_LOOK_EVERY = 1.0


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Everything that is read before, and what changes it. Build it with `Scene.of`."""

    paths: Paths
    stack: Stack
    config: StackConfig
    outputs: Mapping[str, Any]
    live: Live
    besides: tuple[str, ...]
    """What a deployment of this checkout would change beside the image, as far as git shows it."""

    @classmethod
    def of(
        cls, root: Path, stack_name: str, environ: Mapping[str, str], sections: Collection[str] = ("images",)
    ) -> Scene:
        """Read settings and state.

        Args:
            sections: those that are to be changed in the stack file, so that no variable may override them.

        Raises:
            InputError: no such stack, settings that cannot be used, or sections overridden by a variable.
            LocalError: never deployed, or its cluster is not there.
        """
        paths, stack = stacks.paths_of(root, stack_name), stacks.load(root, stack_name)
        try:
            loaded = load_stack_file(root, stack_name, environ)
        except ConfigError as error:
            raise InputError(str(error)) from error
        hidden = [variable for path, variable in loaded.overrides.items() if path.partition(".")[0] in sections]
        if hidden:
            raise InputError(
                f"{', '.join(hidden)} overrides what the stack file says of {' and '.join(sections)}",
                hint="unset it: what the command writes into the stack file would not count",
            )
        outputs, besides = _recorded(paths, stack)
        live = Live(client=cluster_client(paths, stack), namespace=stack_namespace(stack_name), services=())
        return cls(paths=paths, stack=stack, config=loaded.config, outputs=outputs, live=live, besides=besides)

    def deployed(self, image: str, *, fresh: bool = False) -> Way:
        """What the last completed deployment made of an image.

        Args:
            fresh: ask the engine again.
        """
        outputs = _outputs(EngineCommand.of(self.paths, self.stack).export()) if fresh else self.outputs
        pins = outputs.get("image_pins") or {}
        return Way(reference=str((outputs.get("images") or {}).get(image, "")), pin=str(pins.get(image, "")))

    def serving(self, who: Chosen) -> Way:
        """What callers reach now: the state names a new reference before its pods are there."""
        deployed, repository = self.deployed(who.image), self.repository(who.image)
        live = replace(self.live, services=who.services)
        reference = serving(live.ready_images(repository), live.asked_images(repository), deployed.reference)
        return deployed if reference == deployed.reference else Way(reference=reference, pin="")

    def repository(self, image: str) -> str:
        """Registry and name of an image."""
        return repository_of(self.deployed(image).reference or self.declared(image))

    def declared(self, image: str) -> str:
        """The reference that the settings give without a pin; empty where nothing was built yet."""
        unpinned = self.config.images.model_copy(update={"pins": {}})
        try:
            return resolve_images(unpinned, [image], {LOCK_VARIABLE: str(self.paths.images_lock)})[image]
        except ImagesError:
            return ""

    def versions(self, who: Chosen) -> list[Version]:
        """What ran of an image, the newest first."""
        live = replace(self.live, services=who.services)
        return versions(live.replica_sets(), live.deployments(), who.services, self.repository(who.image))

    def reject(self, who: Chosen, reference: str, why: str) -> None:
        """Mark a digest so that it is not proposed again; without a reason take the mark away."""
        digest = reference.rpartition("@")[2]
        names = [name for each in self.versions(who) if each.digest == digest for name in each.replica_sets]
        self.live.reject(names, why)

    def without_canary(self, who: Chosen) -> dict[str, str]:
        """Variables that switch the canaries of an image's services off for one deployment."""
        return {
            f"OMNIBASE__SERVICES__{name.upper().replace('-', '_')}__ROLLOUT__ENABLED": "false"
            for name in who.services
            if self.config.services[name].rollout.enabled
        }

    def require_without_canary(self, who: Chosen) -> None:
        """See that the settings can do without.

        Raises:
            InputError: they refuse it, as prod does unless `allowed_overrides` names it.
        """
        try:
            load_stack_file(self.paths.root, self.stack.name, {**os.environ, **self.without_canary(who)})
        except ConfigError as error:
            raise InputError(f"--now cannot be: {error}") from error

    def up(self, who: Chosen, digest: str, *, now: bool) -> None:
        """`make up`, stopped early when a pod with the digest cannot start.

        Raises:
            LocalError: as `machine.up`, or because of such a pod.
        """
        live = replace(self.live, services=who.services)
        with _environment(self.without_canary(who) if now else {}):
            self.up_unless((lambda: live.hopeless(digest)) if digest else lambda: "")

    def up_unless(self, hopeless: Callable[[], str]) -> None:
        """`make up`, stopped early when what is asked every second gives a reason.

        Raises:
            LocalError: as `machine.up`, or because of the reason.
        """
        with _stopping(hopeless) as reason:
            try:
                machine.up(self.paths, self.stack.name, Progress())
            except (StoppedError, KeyboardInterrupt):
                if not reason:
                    raise
                raise LocalError(reason[0]) from None

    def watch(self, who: Chosen, seconds: float, say: Callable[[str], object]) -> Callable[[str], str]:
        """Measure what is now, and return the judge of what comes: reference -> why it is not healthy."""
        live = replace(self.live, services=who.services)
        way = door(live, self.outputs, self._path(who), self._ours)
        before = Before(share=live.share_before(who.services[0]), counts=live.counts(who.services[0]))

        def judge(reference: str) -> str:
            digest = reference.rpartition("@")[2]
            verdict = Judge(
                look=lambda: live.seen(digest),
                ready=lambda: self._unready(live),
                call=way.status if isinstance(way, Door) else lambda: None,
                counts=lambda: live.counts(who.services[0]),
                say=say,
                watch_seconds=seconds,
            ).verdict
            try:
                return verdict(before)
            except (ApiError, UnreachableError) as error:
                return f"the cluster does not answer: {error}"

        return judge

    def _unready(self, live: Live) -> list[str]:
        """Ask each pod for its health through the API server, past Services and network policies."""
        kubectl, found = Kubectl.of(self.paths, self.stack), []
        for pod in live.pods():
            service = self.config.services[str(pod["metadata"]["labels"]["app.kubernetes.io/name"])]
            if service.http_check is None:  # its own check is what Kubernetes shows
                continue
            inside, path = service.http_check
            try:
                with kubectl.forwarded(live.namespace, name_of(pod), inside) as port:
                    status = _status(port, path)
            except LocalError as error:
                found.append(str(error))
                continue
            if status != 200:  # noqa: PLR2004
                found.append(f"pod {name_of(pod)} answers {status or 'nothing'} on {path}")
        return found

    def _path(self, who: Chosen) -> str:
        routes = self.config.gateway.routes.values() if self.config.gateway.enabled else ()
        return next((route.path for route in routes if route.service in who.services), "")

    def _ours(self, address: str) -> bool:
        """On the local node only what is behind its interface: else the call would leave this machine."""
        return not self.stack.is_local or route_interface(f"https://{address}") == f"omn-{self.paths.instance}"


def _status(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def _outputs(export: Document) -> Mapping[str, Any]:
    return engine_status("", export, [], datetime.datetime.now(datetime.UTC)).outputs


def _recorded(paths: Paths, stack: Stack) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    engine = fetch.engine_documents(paths, stack, datetime.datetime.now(datetime.UTC))
    if engine.unavailable:
        raise LocalError(engine.unavailable)
    commit = engine.last_update.commit if engine.last_update else ""
    checkout = fetch.checkout(paths, stack, commit)
    lines = [f"the checkout is {checkout.behind} commits after what was deployed"] if checkout.behind else []
    return engine.outputs, tuple(lines)


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Variables of this process for the block."""
    kept = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in kept.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextmanager
def _stopping(hopeless: Callable[[], str]) -> Iterator[list[str]]:
    """Interrupt the block when there is a reason; the list then holds it.

    A Deployment gives up after minutes; a crash loop is certain after the second restart.
    """
    reason: list[str] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(_LOOK_EVERY):
            try:
                why = hopeless()
            except (ApiError, UnreachableError):
                continue  # the node may just be starting
            if why:
                reason.append(why)
                os.kill(os.getpid(), signal.SIGINT)  # as Ctrl-C: the engine ends what is under way and records it
                return

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield reason
    finally:
        ended.set()
        watcher.join()
