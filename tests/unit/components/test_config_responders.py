"""The responder chain: each rule alone with its words, and the document that programs get."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import yaml
from omnibase_infra.config import StackConfig, load
from omnibase_infra.config.addresses import Reached
from omnibase_infra.config.responders import responder_document

from tests.unit.components.test_config_rules import complaint, settings

CHAIN = yaml.safe_load(
    """
request: {start_tier: local, max_tier: command-line}
tiers:
  - {name: local, models: [small, fast], max_retries: 2, max_latency_ms: 1000}
  - name: cloud
    models: [big]
    cost: {type: metered, usd_per_1k_tokens: 0.01}
    evaluate_before_accept: true
    evaluator: small
  - {name: command-line, models: [tool]}
task_routing: {summary: [local, cloud], review: [cloud]}
models:
  small:
    {backend: gpu, model: qwen3-14b, use_for: [summary], max_context_tokens: 8192, fast_path_threshold_tokens: 2000}
  fast: {backend: inside, model: tiny}
  big: {backend: bought, model: big-1, use_for: [review]}
  tool: {backend: program, model: tool}
backends:
  gpu: {slot: gpu-1, weight: 3}
  inside: {service: reference}
  bought: {url: 'https://llm.example.test/v1/chat/completions', secret: receipt-key, timeout_ms: 60000}
  program: {command: [/usr/bin/tool, --json]}
rules:
  - id: 0b54d0a6-6f6e-4a52-9d5c-2f6d1c1f6a11
    match: {operation_types: [summary], cost_tiers: [local], max_latency_ms: 2000}
    backends: [gpu]
  - {id: 0b54d0a6-6f6e-4a52-9d5c-2f6d1c1f6a10, priority: 10, backends: [bought, gpu]}
slots:
  gpu-1:
    {host: 192.0.2.20, port: 8000, model: Qwen/Qwen3-14B, role: reasoning, status: running, context_window_tokens: 8192}
  gpu-2: {host: 203.0.113.9, port: 8000, model: Qwen/Qwen3-8B, role: reasoning, status: planned}
egress: {cidrs: [192.0.2.0/24], hosts: {llm.example.test: [198.51.100.0/24]}}
failover: {default_backends: [gpu]}
"""
)
ADDRESSES = {"reference": "reference.omnibase-dev.svc.cluster.local"}


def chain(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- values of a stack file
    """The chain with some values changed, at key paths with `__`."""
    found = copy.deepcopy(CHAIN)
    for path, value in changes.items():
        level: Any = found
        *heads, last = path.split("__")
        for head in heads:
            level = level[int(head)] if isinstance(level, list) else level[head.replace("_DASH_", "-")]
        level[int(last) if isinstance(level, list) else last.replace("_DASH_", "-")] = value
    return dict(found)


def loaded(stack: str = "dev", **changes: Any) -> StackConfig:  # noqa: ANN401 -- values of a stack file
    return load(stack, settings(stack, responders=chain(**changes)), {}).config


def problem(path: str, **changes: Any) -> str:  # noqa: ANN401 -- values of a stack file
    """What is said of a key of the chain."""
    at = f"responders{path}"
    return complaint("dev", at, responders=chain(**changes)).removeprefix(f"Pulumi.dev.yaml: {at} = ")


@pytest.mark.req("C1.7")
@pytest.mark.parametrize("stack", ["dev", "test", "staging", "prod"])
def test_a_whole_chain_is_accepted_everywhere(stack: str) -> None:
    assert loaded(stack).responders.enabled


def test_a_stack_without_a_chain_has_none() -> None:
    assert not load("dev", settings("dev"), {}).config.responders.enabled


@pytest.mark.req("C1.7", "P15", "V10")
@pytest.mark.parametrize(
    ("path", "changes", "said"),
    [
        (
            ".tiers",
            {"tiers__1__name": "local", "task_routing": {}, "models__small__use_for": [], "models__big__use_for": []},
            "local: is the name of more than one tier; rename one",
        ),
        (
            ".tiers.0.models",
            {"tiers__0__models": ["smal"]},
            "smal: is not a model of responders.models; did you mean 'small'?",
        ),
        (
            ".tiers.1.evaluator",
            {"tiers__1__evaluator": "bigg"},
            "bigg: is not a model of responders.models; did you mean 'big'?",
        ),
        (
            ".tiers.0.evaluator",
            {"tiers__0__evaluate_before_accept": True},
            "nothing: is required by evaluate_before_accept; name a model, or set evaluate_before_accept to false",
        ),
        (
            ".tiers.0.cost.usd_per_1k_tokens",
            {"tiers__0__cost": {"type": "metered"}},
            "nothing: is required for type 'metered', and belongs to it only; set both or none",
        ),
        (
            ".tiers.0.cost.usd_per_1k_tokens",
            {"tiers__0__cost": {"usd_per_1k_tokens": 0.5}},
            "0.5: is required for type 'metered', and belongs to it only; set both or none",
        ),
        (
            ".request.start_tier",
            {"request__start_tier": "lokal"},
            "lokal: is not a tier; did you mean 'local'?",
        ),
        (
            ".request.start_tier",
            {"request": {"start_tier": "cloud", "max_tier": "local"}},
            "cloud: must not come after max_tier 'local' in responders.tiers; exchange them",
        ),
        (".task_routing.review", {"task_routing__review": ["clout"]}, "clout: is not a tier; did you mean 'cloud'?"),
        (
            ".models.big.use_for",
            {"models__big__use_for": ["reviews"]},
            "reviews: is not a task of responders.task_routing, so no tier answers it; did you mean 'review'?",
        ),
        (
            ".rules.0.match.operation_types",
            {"rules__0__match": {"operation_types": ["summry"]}},
            "summry: is not a task of responders.task_routing, so no tier answers it; did you mean 'summary'?",
        ),
        (
            ".rules.0.match.cost_tiers",
            {"rules__0__match": {"cost_tiers": ["loca"]}},
            "loca: is not a tier; did you mean 'local'?",
        ),
        (
            ".models.small.backend",
            {"models__small__backend": "gpus"},
            "gpus: is not a backend of responders.backends; did you mean 'gpu'?",
        ),
        (
            ".rules.0.backends",
            {"rules__0__backends": ["bough"]},
            "bough: is not a backend of responders.backends; did you mean 'bought'?",
        ),
        (
            ".failover.default_backends",
            {"failover__default_backends": ["gpu", "insid"]},
            "insid: is not a backend of responders.backends; did you mean 'inside'?",
        ),
        (
            ".rules.1.id",
            {"rules__1__id": "0b54d0a6-6f6e-4a52-9d5c-2f6d1c1f6a11"},
            "0b54d0a6-6f6e-4a52-9d5c-2f6d1c1f6a11: is the id of another rule too; make a new UUID",
        ),
        (
            ".models.small.fast_path_threshold_tokens",
            {"models__small__fast_path_threshold_tokens": 8193},
            "8193: may be at most max_context_tokens = 8192; lower it",
        ),
        (
            ".models.small.max_context_tokens",
            {"models__small__max_context_tokens": 8193},
            "8193: may be at most 8192, which slot 'gpu-1' has memory for; lower it, or plan the slot anew",
        ),
        (
            ".backends.gpu",
            {"backends__gpu": {"slot": "gpu-1", "service": "reference"}},
            "slot and service: exactly one of url, slot, service and command is required; keep one",
        ),
        (
            ".backends.gpu",
            {"backends__gpu": {}},
            "nothing: exactly one of url, slot, service and command is required; keep one",
        ),
        (
            ".backends.gpu.slot",
            {"backends__gpu__slot": "gpu-3"},
            "gpu-3: is not a slot of responders.slots; did you mean 'gpu-2'?",
        ),
        (
            ".backends.gpu.slot",
            {"backends__gpu__slot": "gpu-2"},
            "gpu-2: is planned: a backend needs a running slot; start it and set its status, or take the backend out",
        ),
        (
            ".backends.bought.url",
            {"backends__bought__url": "https://llm.example.test/v1"},
            "https://llm.example.test/v1: must be the whole address, up to /chat/completions; "
            "for example https://llm.example.test/v1/chat/completions",
        ),
        (
            ".backends.bought.url",
            {"backends__bought__url": "https://127.0.0.1/v1/chat/completions", "egress__hosts": {}},
            "https://127.0.0.1/v1/chat/completions: is the loopback: in a pod that is the pod itself; "
            "name the address by which pods reach it",
        ),
        (
            ".backends.bought.url",
            {"backends__bought__url": "https://llms.example.test/v1/chat/completions"},
            "https://llms.example.test/v1/chat/completions: is not in responders.egress, so no call gets through; "
            "did you mean 'llm.example.test'?",
        ),
        (
            ".backends.bought.url",
            {"backends__bought__url": "https://203.0.113.1/v1/chat/completions", "egress__hosts": {}},
            "https://203.0.113.1/v1/chat/completions: is not in responders.egress, so no call gets through; "
            "known: 192.0.2.0/24",
        ),
        (
            ".backends.bought.url",
            {"backends__bought__url": "http://llm.example.test/v1/chat/completions"},
            "http://llm.example.test/v1/chat/completions: must be https: only addresses of "
            "responders.egress.cidrs may be called without; prompts and keys would leave in clear text",
        ),
        (
            ".backends.bought.secret",
            {"backends__bought": {"url": "https://llm.example.test/v1/chat/completions"}},
            "nothing: is required: a host outside must know who calls; name an entry of secrets.entries",
        ),
        (
            ".backends.bought.secret",
            {"backends__bought__secret": "receipt-kee"},
            "receipt-kee: is not among secrets.entries; did you mean 'receipt-key'?",
        ),
        (
            ".backends.inside.service",
            {"backends__inside__service": "referense"},
            "referense: is not a service of this stack; did you mean 'reference'?",
        ),
        (
            ".slots.gpu-2",
            {"slots__gpu-2__status": "running", "slots__gpu-2__role": "coding"},
            "http://203.0.113.9:8000/v1/chat/completions: must be https: only addresses of "
            "responders.egress.cidrs may be called without; prompts and keys would leave in clear text",
        ),
        (
            ".slots.gpu-2.role",
            {"slots__gpu-2__status": "running", "slots__gpu-2__host": "192.0.2.21"},
            "reasoning: has a running slot already: 'gpu-1'; disable one of them",
        ),
        (
            ".egress.hosts.old.example.test",
            {"egress__hosts__old.example.test": ["198.51.100.0/24"]},
            "a host: is the host of no backend and no running slot; did you mean 'llm.example.test'?",
        ),
    ],
)
def test_a_chain_that_cannot_answer_is_refused_in_words(path: str, changes: dict[str, Any], said: str) -> None:
    lines = problem(path, **changes).splitlines()
    assert said in [line.removeprefix(f"Pulumi.dev.yaml: responders{path} = ") for line in lines]


@pytest.mark.parametrize(
    ("path", "changes", "said"),
    [
        (".request.cost_limit_usd", {"request": {"cost_limit_usd": 0}}, "should be greater than 0"),
        (".request.timeout", {"request": {"timeout": "2h"}}, "must be from 1s to 1h"),
        (".tiers.0.models", {"tiers__0__models": []}, "should have at least 1 item"),
        (".tiers.0.max_retries", {"tiers__0__max_retries": 11}, "should be less than or equal to 10"),
        (".task_routing.review", {"task_routing__review": []}, "should have at least 1 item"),
        (".backends.gpu.timeout_ms", {"backends__gpu__timeout_ms": 99}, "should be greater than or equal to 100"),
        (".backends.gpu.weight", {"backends__gpu__weight": 0}, "should be greater than or equal to 1"),
        (".rules.0.id", {"rules__0__id": "1"}, "must be a UUID such as"),
        (".rules.0.backends", {"rules__0__backends": []}, "should have at least 1 item"),
        (".slots.gpu-1.host", {"slots__gpu-1__host": "300.0.0.1"}, "must be a full DNS name or an IPv4 address"),
        (".slots.gpu-1.status", {"slots__gpu-1__status": "up"}, "must be one of running, disabled, on-demand, planned"),
        (".failover.attempts", {"failover__attempts": 11}, "should be less than or equal to 10"),
        (".egress.cidrs.0", {"egress__cidrs": ["192.0.2.0/33"]}, "must be a network in CIDR form"),
        (".models.Big", {"models__Big": {"backend": "gpu", "model": "x"}}, "must be a name of at most 128"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_at_its_field(path: str, changes: dict[str, Any], said: str) -> None:
    assert said in problem(path, **changes)


def test_a_backend_that_is_a_service_takes_requests() -> None:
    worker = {"image": "reference", "health": {"command": ["/bin/true"]}}
    at = "responders.backends.inside.service"
    text = complaint("dev", at, responders=chain(backends__inside__service="worker"), services__worker=worker)
    assert text == f"Pulumi.dev.yaml: {at} = worker: has no port of requests; name it http among its ports"


def test_parts_of_a_chain_without_tiers_are_a_slip() -> None:
    text = complaint("dev", "responders.slots", responders={"slots": CHAIN["slots"], "egress": CHAIN["egress"]})
    assert "2 entries: belong to a chain, which has no tiers; add responders.tiers, or remove them" in text


@pytest.mark.req("C1.7", "C1.12")
def test_the_document_has_the_addresses_of_what_was_deployed() -> None:
    document = responder_document(loaded(), ADDRESSES)
    assert document["schema"] == "omnibase.responders/1"
    places = {name: backend.get("url") for name, backend in document["backends"].items()}
    assert places == {
        "bought": "https://llm.example.test/v1/chat/completions",
        "gpu": "http://192.0.2.20:8000/v1/chat/completions",
        "inside": "http://reference.omnibase-dev.svc.cluster.local:8080/v1/chat/completions",
        "program": None,
    }
    assert document["backends"]["program"]["command"] == ["/usr/bin/tool", "--json"]
    assert document["backends"]["bought"]["secret"] == "receipt-key"
    assert [tier["name"] for tier in document["tiers"]] == ["local", "cloud", "command-line"], "the ladder's order"
    assert [rule["priority"] for rule in document["rules"]] == [10, 100], "the lower is asked first"
    assert document["failover"]["breaker_open_seconds"] == 30
    assert json.loads(json.dumps(document)) == document, "plain values only"


def test_a_request_enters_at_the_first_tier_and_ends_at_the_last_unless_told() -> None:
    request = responder_document(loaded(request={}), ADDRESSES)["request"]
    assert (request["start_tier"], request["max_tier"], request["timeout_seconds"]) == ("local", "command-line", 300)


def test_a_backend_waits_as_long_as_it_says_or_as_all_do() -> None:
    backends = responder_document(loaded(), ADDRESSES)["backends"]
    assert (backends["bought"]["timeout_ms"], backends["gpu"]["timeout_ms"]) == (60_000, 10_000)


@pytest.mark.req("P7")
def test_no_document_is_made_with_an_address_that_nobody_has() -> None:
    with pytest.raises(LookupError, match=r"responders\.backends\.inside\.service: service 'reference' has no address"):
        responder_document(loaded(), {"other": "x"})


@pytest.mark.req("C7.1", "V10")
def test_what_readers_call_is_as_narrow_as_it_is_known() -> None:
    config = loaded()
    assert config.responders.reached(config.services) == [
        Reached(port=443, cidrs=("198.51.100.0/24",)),
        Reached(port=8000, cidrs=("192.0.2.20/32",)),
        Reached(service="reference", port=8080),
    ]
