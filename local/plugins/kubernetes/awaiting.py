"""Which wait belongs to a create, an update or a refresh of an object."""

from __future__ import annotations

from collections.abc import Callable

from local.plugins.common.errors import PartialFailureError
from local.plugins.common.values import Object
from local.plugins.kubernetes import gvk, overrides, waitfor
from local.plugins.kubernetes.client import ApiError, UnreachableError
from local.plugins.kubernetes.readiness import diagnosis
from local.plugins.kubernetes.readiness.registry import ANY_KIND, Rule, rule_for
from local.plugins.kubernetes.readiness.verdict import Check, Look
from local.plugins.kubernetes.readiness.waiting import NotReadyError, Wait
from local.plugins.kubernetes.session import Session


def until_ready(
    session: Session,
    urn: str,
    inputs: Object,
    live: Object,
    *,
    before: Object | None,
    timeout: float,
    record: Callable[[Object], Object],
    what: str,
) -> Object:
    """Wait as the object's kind or its annotations ask; returns the object as last seen.

    Raises:
        PartialFailureError: it is not ready. `what` begins its message, `record` makes the state to keep.
    """
    rule = rule_for(live) or (ANY_KIND if overrides.awaits_everything() else None)
    reasons: list[str]
    try:
        check = _check(inputs, live, rule)
        if check is None:
            return live
        wait = _wait(session, urn, live, overrides.timeout_seconds(timeout, inputs))
        return wait.until_ready(live, check, rule, before)
    except NotReadyError as problem:
        live, reasons, cause = problem.live, problem.reasons, str(problem)
    except (ValueError, ApiError, UnreachableError) as problem:
        reasons, cause = [], str(problem)
    message = f"{what} to fully initialize or become live: {cause}"
    raise PartialFailureError(
        message, identity=gvk.identity(live), state=record(live), reasons=[message, *reasons]
    ) from None


def unready_reasons(session: Session, inputs: Object, live: Object) -> list[str]:
    """For a refresh: why an object that was ready is not any more; empty when it is."""
    rule = rule_for(live)
    if rule is None or not rule.on_refresh or overrides.skips_await(inputs) or session.cluster is None:
        return []
    look = Look(live, session.cluster, final=True)
    verdict = rule.check(look)
    if verdict.ready:
        return []
    return [
        f"Resource '{gvk.name(live)}' was created but failed to initialize",
        verdict.message,
        *diagnosis.reasons(look, rule),
    ]


def until_gone(session: Session, urn: str, live: Object, uid: str, timeout: float) -> None:
    """Wait until an object is deleted.

    Raises:
        NotReadyError: it is still there.
    """
    _wait(session, urn, live, timeout).until_gone(uid, live)


def _check(inputs: Object, live: Object, rule: Rule | None) -> Check | None:
    if overrides.skips_await(inputs):
        return None
    wanted = overrides.value(inputs, overrides.WAIT_FOR)
    if wanted:
        own = waitfor.parse(wanted)
        return lambda look: own.check(look.live)
    return rule.check if rule else None


def _wait(session: Session, urn: str, live: Object, seconds: float) -> Wait:
    cluster = session.require()
    return Wait(
        read=lambda: cluster.find(live, gvk.name(live)),
        others=cluster,
        log=session.resource_log(urn),
        cancelled=session.cancelled,
        seconds=seconds,
    )
