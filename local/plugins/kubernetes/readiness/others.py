"""When the remaining kinds are ready, and a general rule for custom resources."""

from __future__ import annotations

from local.plugins.common.values import dig
from local.plugins.kubernetes.readiness.verdict import Look, Verdict, explain
from local.plugins.kubernetes.sameness import same

_TOKEN_TYPE = "kubernetes.io/service-account-token"  # noqa: S105  # a type of Secret, not a secret


def custom_resource_definition(look: Look) -> Verdict:
    """Its names are accepted and its objects are served; names already taken never become free by waiting."""
    names = look.condition("NamesAccepted")
    if names.get("status") == "False":
        return Verdict(False, explain(names), failed=True)
    established = look.condition("Established").get("status") == "True"
    return Verdict(established, "Waiting for CustomResourceDefinition to be established")


def namespace(look: Look) -> Verdict:
    """Active; one that is being deleted never becomes active again."""
    if look.status("phase") == "Terminating":
        return Verdict(False, "Namespace is being deleted", failed=True)
    return Verdict(look.status("phase") == "Active", "Waiting for Namespace to be active")


def resource_quota(look: Look) -> Verdict:
    """The controller repeats the limits in its status."""
    told = dig(look.live, "status", "hard")
    done = told is not None and same(("hard",), look.spec("hard"), told, builtin=True)
    return Verdict(done, "Waiting for ResourceQuota to be observed")


def secret(look: Look) -> Verdict:
    """At once, except a service-account token, which the controller fills in."""
    done = look.live.get("type") != _TOKEN_TYPE or bool(look.live.get("data"))
    return Verdict(done, "Waiting for the service-account token")


def any_kind(look: Look) -> Verdict:
    """Custom resources by the conventions of status: observed generation, conditions Ready, Reconciling, Stalled."""
    observed, generation = look.status("observedGeneration"), dig(look.live, "metadata", "generation")
    if isinstance(observed, int) and isinstance(generation, int) and observed < generation:
        return Verdict(False, "Waiting for the controller to observe the change")
    for kind, bad in (("Stalled", "True"), ("Reconciling", "True"), ("Ready", "False"), ("Ready", "Unknown")):
        found = look.condition(kind)
        if found.get("status") == bad:
            return Verdict(False, explain(found) or f"Waiting for readiness ({kind}={bad})")
    return Verdict(True, "Resource is current")
