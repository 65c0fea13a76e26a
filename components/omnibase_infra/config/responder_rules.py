"""Rules of the responder chain: everything that is named exists, runs, and may be called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from omnibase_infra.config.addresses import is_loopback, within
from omnibase_infra.config.capability import Capability, Finding
from omnibase_infra.config.environments import Environment
from omnibase_infra.config.errors import nearest
from omnibase_infra.config.responders import (
    ResponderModelConfig,
    ResponderRequestConfig,
    RespondersConfig,
    ResponderSlotConfig,
    ResponderTierConfig,
)
from omnibase_infra.config.units import Url

_COMPLETIONS = "/chat/completions"


def _unknown(path: str, names: Collection[str], known: Collection[str], what: str) -> Iterator[Finding]:
    """A finding for each name that is not among the known ones."""
    for name in names:
        if name not in known:
            yield path, name, f"is not {what}", nearest(name, known)


def _ladder(chain: RespondersConfig) -> Iterator[Finding]:
    """Tiers and their models, and where a request enters and leaves them."""
    names = [tier.name for tier in chain.tiers]
    for name in sorted(name for name, count in Counter(names).items() if count > 1):
        yield "responders.tiers", name, "is the name of more than one tier", "rename one"
    for number, tier in enumerate(chain.tiers):
        yield from _tier(f"responders.tiers.{number}", tier, chain.models)
    yield from _bounds(chain.request, names)


def _tier(path: str, tier: ResponderTierConfig, models: Mapping[Any, ResponderModelConfig]) -> Iterator[Finding]:
    what = "a model of responders.models"
    yield from _unknown(f"{path}.models", tier.models, models, what)
    yield from _unknown(f"{path}.evaluator", [tier.evaluator] if tier.evaluator else [], models, what)
    if tier.evaluate_before_accept and tier.evaluator is None:
        hint = "name a model, or set evaluate_before_accept to false"
        yield f"{path}.evaluator", "nothing", "is required by evaluate_before_accept", hint
    price = tier.cost.usd_per_1k_tokens
    if (tier.cost.type == "metered") != (price is not None):
        allowed = "is required for type 'metered', and belongs to it only"
        yield f"{path}.cost.usd_per_1k_tokens", str(price or "nothing"), allowed, "set both or none"


def _bounds(request: ResponderRequestConfig, names: list[Any]) -> Iterator[Finding]:
    start, most = request.start_tier, request.max_tier
    for field, name in (("start_tier", start), ("max_tier", most)):
        yield from _unknown(f"responders.request.{field}", [name] if name else [], names, "a tier")
    if start in names and most in names and names.index(start) > names.index(most):
        allowed = f"must not come after max_tier '{most}' in responders.tiers"
        yield "responders.request.start_tier", str(start), allowed, "exchange them"


def _tasks(chain: RespondersConfig) -> Iterator[Finding]:
    """Every kind of task that something is meant for has tiers that answer it."""
    names = [tier.name for tier in chain.tiers]
    for task, tiers in chain.task_routing.items():
        yield from _unknown(f"responders.task_routing.{task}", tiers, names, "a tier")
    what = "a task of responders.task_routing, so no tier answers it"
    for name, model in chain.models.items():
        yield from _unknown(f"responders.models.{name}.use_for", model.use_for, chain.task_routing, what)
    for number, rule in enumerate(chain.rules):
        path = f"responders.rules.{number}.match"
        yield from _unknown(f"{path}.operation_types", rule.match.operation_types, chain.task_routing, what)
        yield from _unknown(f"{path}.cost_tiers", rule.match.cost_tiers, names, "a tier")


def _choices(chain: RespondersConfig) -> Iterator[Finding]:
    """Models, rules and the way out name backends that exist."""
    what = "a backend of responders.backends"
    for name, model in chain.models.items():
        yield from _unknown(f"responders.models.{name}.backend", [model.backend], chain.backends, what)
        yield from _context(f"responders.models.{name}", model, chain)
    for number, rule in enumerate(chain.rules):
        yield from _unknown(f"responders.rules.{number}.backends", rule.backends, chain.backends, what)
    fallback = chain.failover.default_backends
    yield from _unknown("responders.failover.default_backends", fallback, chain.backends, what)
    counts = Counter(rule.id for rule in chain.rules)
    for number, rule in enumerate(chain.rules):
        if counts[rule.id] > 1:
            yield f"responders.rules.{number}.id", rule.id, "is the id of another rule too", "make a new UUID"


def _context(path: str, model: ResponderModelConfig, chain: RespondersConfig) -> Iterator[Finding]:
    fast = model.fast_path_threshold_tokens
    if fast is not None and fast > model.max_context_tokens:
        allowed = f"may be at most max_context_tokens = {model.max_context_tokens}"
        yield f"{path}.fast_path_threshold_tokens", str(fast), allowed, "lower it"
    backend = chain.backends.get(model.backend)
    slot = chain.slots.get(backend.slot) if backend and backend.slot else None
    window = slot.context_window_tokens if slot else None
    if window is not None and model.max_context_tokens > window:
        allowed = f"may be at most {window}, which slot '{backend.slot if backend else ''}' has memory for"
        yield f"{path}.max_context_tokens", str(model.max_context_tokens), allowed, "lower it, or plan the slot anew"


def _backends(chain: RespondersConfig) -> Iterator[Finding]:
    """Each backend is at one place, which runs and may be called."""
    for name, backend in chain.backends.items():
        path = f"responders.backends.{name}"
        given = [field for field in ("url", "slot", "service", "command") if getattr(backend, field)]
        if len(given) != 1:
            received = " and ".join(given) or "nothing"
            yield path, received, "exactly one of url, slot, service and command is required", "keep one"
        elif backend.slot is not None:
            yield from _slot_of(path, backend.slot, chain.slots)
        elif backend.url is not None:
            yield from _outside(f"{path}.url", backend.url, chain)
            if backend.url.host in chain.egress.hosts and backend.secret is None:
                hint = "name an entry of secrets.entries"
                yield f"{path}.secret", "nothing", "is required: a host outside must know who calls", hint


def _slot_of(path: str, slot: Any, slots: Mapping[Any, ResponderSlotConfig]) -> Iterator[Finding]:  # noqa: ANN401
    yield from _unknown(f"{path}.slot", [slot], slots, "a slot of responders.slots")
    if slot in slots and slots[slot].status != "running":
        hint = "start it and set its status, or take the backend out"
        yield f"{path}.slot", slot, f"is {slots[slot].status}: a backend needs a running slot", hint


def _slots(chain: RespondersConfig) -> Iterator[Finding]:
    """Running slots may be called, and there is one for each role."""
    roles: dict[str, str] = {}
    for name, slot in chain.slots.items():
        if slot.status != "running":
            continue
        path = f"responders.slots.{name}"
        yield from _outside(path, slot.url, chain)
        other = roles.setdefault(slot.role, name)
        if other != name:
            yield f"{path}.role", slot.role, f"has a running slot already: '{other}'", "disable one of them"


def _outside(path: str, url: Url, chain: RespondersConfig) -> Iterator[Finding]:
    """An address is complete, is not the caller itself, and is in the list of what may be called."""
    if not url.partition("?")[0].endswith(_COMPLETIONS):
        hint = f"for example {url.rstrip('/')}{_COMPLETIONS}"
        yield path, url, f"must be the whole address, up to {_COMPLETIONS}", hint
    if is_loopback(url.host):
        hint = "name the address by which pods reach it"
        yield path, url, "is the loopback: in a pod that is the pod itself", hint
        return
    local = within(url.host, chain.egress.cidrs)
    if not local and url.host not in chain.egress.hosts:
        known = [*chain.egress.cidrs, *chain.egress.hosts]
        hint = nearest(url.host, known) or "add its network to responders.egress.cidrs, or its name to .hosts"
        yield path, url, "is not in responders.egress, so no call gets through", hint
    if not local and not url.encrypted:
        hint = "prompts and keys would leave in clear text"
        yield path, url, "must be https: only addresses of responders.egress.cidrs may be called without", hint


def _services(chain: RespondersConfig, services: Mapping[str, Any]) -> Iterator[Finding]:
    for name, backend in chain.backends.items():
        path, service = f"responders.backends.{name}.service", backend.service
        if service is None:
            continue
        yield from _unknown(path, [service], services, "a service of this stack")
        if service in services and services[service].http_port is None:
            yield path, service, "has no port of requests", "name it http among its ports"


def _started(chain: RespondersConfig) -> Iterator[Finding]:
    """Without a ladder nothing else is used, which nobody meant."""
    for field in ("models", "backends", "rules", "task_routing", "slots"):
        if not chain.enabled and getattr(chain, field):
            allowed, hint = "belong to a chain, which has no tiers", "add responders.tiers, or remove them"
            yield f"responders.{field}", f"{len(getattr(chain, field))} entries", allowed, hint


def _hosts(chain: RespondersConfig) -> Iterator[Finding]:
    """A name is listed for what is called: an entry that nothing uses is a hole in the wall."""
    called = {place.host for backend in chain.backends.values() if (place := chain.place(backend)) is not None}
    called |= {str(slot.host) for slot in chain.slots.values() if slot.status == "running"}
    for host in chain.egress.hosts:
        if host not in called:
            hint = nearest(host, called) or "remove it"
            yield f"responders.egress.hosts.{host}", "a host", "is the host of no backend and no running slot", hint


RESPONDERS = Capability(
    section="responders",
    defaults={environment: {} for environment in Environment},
    secrets=RespondersConfig.secrets,
    rules=(
        (("responders",), _started),
        (("responders",), _ladder),
        (("responders",), _tasks),
        (("responders",), _choices),
        (("responders",), _backends),
        (("responders",), _slots),
        (("responders",), _hosts),
        (("responders", "services"), _services),
    ),
)
