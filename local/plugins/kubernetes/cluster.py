"""Objects of one cluster: reading, creating, applying and deleting them by kind."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from local.plugins.common.values import Object
from local.plugins.kubernetes import gvk
from local.plugins.kubernetes.client import APPLY, JSON_PATCH, MERGE, ApiError, Client, UnreachableError
from local.plugins.kubernetes.discovery import Discovery, NoMatchError
from local.plugins.kubernetes.gvk import Kind

NOT_FOUND = 404
CONFLICT = 409
INVALID = 422
FORBIDDEN = 403


class Cluster:
    """One API server with its kinds.

    Every call may raise ApiError, NoMatchError, UnreachableError or CancelledError.
    """

    def __init__(self, client: Client, discovery: Discovery, namespace: str) -> None:
        """`namespace` is where namespaced objects go that name none."""
        self.client = client
        self.discovery = discovery
        self.namespace = namespace

    def namespaced(self, kind: Kind) -> bool:
        """Whether objects of a kind live in a namespace; a kind that is not served yet most likely does."""
        try:
            return self.discovery.find(kind).namespaced
        except NoMatchError:
            return kind.likely_namespaced

    def path(self, obj: Object, name: str = "") -> str:
        """URL path of an object's collection, or with `name` of the object."""
        kind = gvk.of_object(obj)
        space = gvk.namespace(obj) or self.namespace or "default"
        return self.discovery.path(kind, space, name)

    def read(self, obj: Object, name: str) -> Object:
        """The live object of the given one's kind and namespace."""
        return self._ask(obj, lambda: self.client.request("GET", self.path(obj, name)))

    def find(self, obj: Object, name: str) -> Object | None:
        """The live object, or None where neither it nor its kind exists."""
        try:
            return self.read(obj, name)
        except NoMatchError:
            return None
        except ApiError as problem:
            if problem.status == NOT_FOUND:
                return None
            raise

    def create(self, obj: Object, manager: str, *, dry_run: bool, warned: list[str] | None = None) -> Object:
        """Create an object; one that exists already is refused by the server, whose warnings go to `warned`."""
        query = _query(fieldManager=manager, dryRun=dry_run)
        return self._ask(obj, lambda: self.client.request("POST", self.path(obj), query=query, body=obj, warned=warned))

    def apply(self, obj: Object, manager: str, *, force: bool, dry_run: bool) -> Object:
        """Server-side apply: `manager` owns exactly the given fields afterwards."""
        query = _query(fieldManager=manager, dryRun=dry_run, force="true" if force else "false")
        name = gvk.name(obj)
        return self._ask(
            obj, lambda: self.client.request("PATCH", self.path(obj, name), query=query, body=obj, content_type=APPLY)
        )

    def replace(self, obj: Object, manager: str, *, dry_run: bool) -> Object:
        """Write a whole object; its `resourceVersion` must be the live one's."""
        query = _query(fieldManager=manager, dryRun=dry_run)
        name = gvk.name(obj)
        return self._ask(obj, lambda: self.client.request("PUT", self.path(obj, name), query=query, body=obj))

    def patch(self, obj: Object, body: Object | list[Object], *, manager: str = "", dry_run: bool = False) -> Object:
        """Change a live object: a list is a JSON patch, an object a merge patch."""
        form = JSON_PATCH if isinstance(body, list) else MERGE
        query, name = _query(fieldManager=manager, dryRun=dry_run), gvk.name(obj)
        return self._ask(
            obj,
            lambda: self.client.request("PATCH", self.path(obj, name), query=query, body=body, content_type=form),
        )

    def delete(self, obj: Object, name: str, propagation: str) -> None:
        """Ask for an object's deletion; it may live on for a while."""
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation}
        self._ask(obj, lambda: self.client.request("DELETE", self.path(obj, name), body=body))

    def get(self, api_version: str, kind: str, namespace: str, name: str) -> Object | None:
        """One object by its kind and place, or None where there is none."""
        return self.find({"apiVersion": api_version, "kind": kind, "metadata": {"namespace": namespace}}, name)

    def list(self, api_version: str, kind: str, namespace: str, **selectors: str) -> list[Object]:
        """Objects of a kind in a namespace; empty where they cannot be read, since they only explain things."""
        query = {f"{key.removesuffix('s')}Selector": value for key, value in selectors.items()}
        found = Kind(*_split(api_version), kind)
        with suppress(ApiError, NoMatchError, UnreachableError):
            answer = self.client.request("GET", self.discovery.path(found, namespace), query=query)
            return [{"apiVersion": api_version, "kind": kind, **item} for item in answer.get("items") or []]
        return []

    def _ask(self, obj: Object, send: Callable[[], Object]) -> Object:
        try:
            return send()
        except ApiError as problem:
            if not problem.missing_kind:
                raise
        self.discovery.refresh(force=True)  # the kind was known from an earlier run, or has only now been served
        self.discovery.find(gvk.of_object(obj))
        return send()


def _query(**parameters: str | bool) -> dict[str, str]:
    return {
        key: "All" if value is True else str(value) for key, value in parameters.items() if value not in (False, "")
    }


def _split(api_version: str) -> tuple[str, str]:
    group, _, version = api_version.rpartition("/")
    return group, version
