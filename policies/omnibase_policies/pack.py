"""The rules as policies of a Pulumi policy pack. Only this module knows Pulumi."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any

import pulumi_policy
import pulumi_policy.policy as sdk
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import analyzer_pb2

from omnibase_policies.evaluation import run, run_stack
from omnibase_policies.model import RULES, STACK_RULES, Level, Problem, Rule, RuleText, StackRule, State, every_rule
from omnibase_policies.objects import TOO_DEEP, Object, objects_in, unreadable
from omnibase_policies.parameters import ParameterError, Parameters, parse, unknown_name
from omnibase_policies.resources import is_judged
from omnibase_policies.values import View

NAME = "omnibase-security"
DOCUMENTATION = "docs/reference/policies.md"

_METADATA_ONLY = frozenset(
    {
        "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition",
    }
)
"""Large, and nothing but their metadata matters: the rest is not even read."""
_WAIVERS: dict[str, Any] = {
    "waivers": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {key: {"type": "string"} for key in ("object", "reason", "owner", "until")},
            "required": ["object", "reason", "owner", "until"],
            "additionalProperties": False,
        },
    }
}

Report = Callable[..., None]


def policies() -> list[pulumi_policy.Policy]:
    """Every rule as a policy; its level is that of test, staging and prod until a configuration says less."""
    return [*(_policy(rule) for rule in RULES.values()), *(_stack_policy(rule) for rule in STACK_RULES.values())]


def serve() -> None:
    """Serve the pack to the engine; does not return."""
    _allow_deep_messages()
    gc.set_threshold(50_000, 20, 100)  # each resource is read, judged and dropped: nearly nothing is left for it
    # PolicyPack looks its servicer up in its module, and the one there reads each resource once per policy.
    sdk._PolicyAnalyzerServicer = Servicer  # type: ignore[assignment,misc]  # on purpose
    pulumi_policy.PolicyPack(
        NAME, policies(), enforcement_level=pulumi_policy.EnforcementLevel.MANDATORY, display_name="omnibase security"
    )


def _allow_deep_messages() -> None:
    """Let this process read messages of more than 100 levels, protobuf's limit in Python; some definitions have more,
    and a resource that the pack cannot read ends the whole deployment."""
    try:
        implementation = import_module("google._upb._message")
    except ImportError:  # protobuf's own Python instead of its C library: no limit but Python's
        return
    implementation.SetAllowOversizeProtos(True)


class Servicer(sdk._PolicyAnalyzerServicer):
    """Answers the engine as the SDK's own servicer does, but reads a resource once for all rules.

    The SDK (1.21) reads it again for each policy, and ends a policy at the first unknown value that it looks at.
    """

    def __init__(self, name: str, version: str, policies: list[pulumi_policy.Policy], *rest: Any) -> None:  # noqa: ANN401
        super().__init__(name, version, policies, *rest)
        self._judged = [(RULES[policy.name], policy) for policy in policies if policy.name in RULES]
        self._judged_together = [
            (STACK_RULES[policy.name], policy) for policy in policies if policy.name in STACK_RULES
        ]
        self._parameters = Parameters()

    def Analyze(self, request: Any, _context: object) -> Any:  # noqa: ANN401, N802 - gRPC's name and messages
        """What the rules say about one resource."""
        response = analyzer_pb2.AnalyzeResponse()
        if not is_judged(request.type):
            return response
        found = _objects(request.type, request.properties)
        for rule, policy in self._judged:
            level = self._get_enforcement_level(policy)
            if level == pulumi_policy.EnforcementLevel.DISABLED:
                continue
            problems = [problem for each in found for problem in run(rule, each, self._parameters)]
            for state, reported in ((State.VIOLATED, level), (State.UNKNOWN, pulumi_policy.EnforcementLevel.ADVISORY)):
                message = describe(rule, problems, state)
                if message:
                    report = self._create_report_violation(
                        response, policy.name, policy.description, reported, policy.severity
                    )
                    report(message, None)
        return response

    def AnalyzeStack(self, request: Any, _context: object) -> Any:  # noqa: ANN401, N802 - gRPC's name and messages
        """What the rules over a whole stack say; in `up` it is asked when everything is deployed."""
        response = analyzer_pb2.AnalyzeResponse()
        judged = (each for each in request.resources if is_judged(each.type))
        objects, urns = _by_urn((each.urn, _objects(each.type, each.properties)) for each in judged)
        for rule, policy in self._judged_together:
            level = self._get_enforcement_level(policy)
            if level == pulumi_policy.EnforcementLevel.DISABLED:
                continue
            report = self._create_report_violation(response, policy.name, policy.description, level, policy.severity)
            _report_together(rule, objects, urns, self._parameters, report)
        return response

    def Remediate(self, request: Any, _context: object) -> Any:  # noqa: ANN401, N802 - gRPC's name and messages
        """No rule changes a resource, so none is read."""
        return analyzer_pb2.RemediateResponse()

    def Configure(self, request: Any, context: object) -> empty_pb2.Empty:  # noqa: ANN401, N802 - gRPC's
        """Take levels and waivers.

        Raises:
            ParameterError: a rule that does not exist, or a wrong waiver; the engine stops.
        """
        config = {name: json_format.MessageToDict(given.properties) for name, given in request.policyConfig.items()}
        config.pop("all", None)
        self._parameters = configured(config)
        result: empty_pb2.Empty = super().Configure(request, context)  # type: ignore[no-untyped-call]  # SDK
        return result


def configured(config: Mapping[str, Mapping[str, Any]]) -> Parameters:
    """Parameters from the properties that a configuration file gives to each rule.

    Raises:
        ParameterError: as `parse`; the engine itself takes names that no rule has.
    """
    unknown = next((name for name in config if name not in every_rule()), None)
    if unknown is not None:
        raise ParameterError(unknown_name("rule", unknown, every_rule()))
    waivers = [waiver for name, properties in config.items() for waiver in _waivers_of(name, properties)]
    return parse({"waivers": waivers})


def _waivers_of(rule: str, properties: Mapping[str, Any]) -> list[dict[str, Any]]:
    allowed = ("enforcementLevel", *_WAIVERS)
    stranger = next((key for key in properties if key not in allowed), None)
    if stranger is not None:
        raise ParameterError(f"{rule}: {stranger!r} is unknown; allowed are {', '.join(allowed)}")
    waivers = properties.get("waivers")
    if waivers is not None and not (isinstance(waivers, list) and all(isinstance(each, Mapping) for each in waivers)):
        raise ParameterError(f"{rule}: waivers must be a list of mappings with object, reason, owner and until")
    return [{**waiver, "rule": rule} for waiver in waivers or []]


def describe(rule: RuleText, problems: Sequence[Problem], state: State) -> str:
    """One message for all problems of a state, or nothing; sorted, so that two runs print the same."""
    lines = sorted(
        {f"{problem.path or '(object)'}: {problem.message}" for problem in problems if problem.state is state}
    )
    if not lines:
        return ""
    if state is State.UNKNOWN:
        return "cannot tell before the update, which decides it:\n" + "\n".join(f"  {line}" for line in lines)
    return "\n".join([*(f"  {line}" for line in lines), f"  To do: {rule.remedy} See {DOCUMENTATION}#{rule.id}"])


def _by_urn(resources: Iterable[tuple[str, list[Object]]]) -> tuple[list[Object], dict[int, str]]:
    """All objects, and the URN of each."""
    pairs = [(each, urn) for urn, objects in resources for each in objects]
    return [each for each, _ in pairs], {id(each): urn for each, urn in pairs}


def _report_together(
    rule: StackRule, objects: Sequence[Object], urns: Mapping[int, str], parameters: Parameters, report: Report
) -> None:
    """One message for each object that a rule over the whole stack complains of."""
    problems: dict[int, list[Problem]] = {}
    for found, problem in run_stack(rule, objects, parameters):
        problems.setdefault(id(found), []).append(problem)
    for key, complaints in problems.items():
        report(describe(rule, complaints, State.VIOLATED), urns[key])


def _stack_policy(rule: StackRule) -> pulumi_policy.StackValidationPolicy:
    def validate(args: pulumi_policy.StackValidationArgs, report: Report) -> None:
        """What the SDK's own servicer calls; ours does not."""
        judged = (each for each in args.resources if is_judged(each.resource_type))
        objects, urns = _by_urn(
            (each.urn, list(objects_in(_bare(each.props), token=each.resource_type))) for each in judged
        )
        _report_together(rule, objects, urns, configured({rule.id: args.get_config()}), report)

    return pulumi_policy.StackValidationPolicy(rule.id, rule.title, validate, **_told(rule))


def _policy(rule: Rule) -> pulumi_policy.ResourceValidationPolicy:
    def validate(args: pulumi_policy.ResourceValidationArgs, report: Report) -> None:
        """What the SDK's own servicer calls; ours does not."""
        if not is_judged(args.resource_type):
            return
        parameters = configured({rule.id: args.get_config()})
        found = objects_in(_bare(args.props), token=args.resource_type)
        message = describe(rule, [problem for each in found for problem in run(rule, each, parameters)], State.VIOLATED)
        if message:
            report(message)

    return pulumi_policy.ResourceValidationPolicy(rule.id, rule.title, validate, **_told(rule))


def _told(rule: RuleText) -> dict[str, Any]:
    """What the engine is told of a rule beside its id, its title and the check."""
    framework = pulumi_policy.PolicyComplianceFramework(name=", ".join(rule.frameworks)) if rule.frameworks else None
    return {
        "enforcement_level": _LEVELS[rule.level],
        "config_schema": pulumi_policy.PolicyConfigSchema(_WAIVERS),
        "display_name": rule.title,
        "severity": pulumi_policy.Severity(rule.severity.value),
        "framework": framework,
        "remediation_steps": rule.remedy,
    }


_LEVELS = {
    Level.MANDATORY: pulumi_policy.EnforcementLevel.MANDATORY,
    Level.ADVISORY: pulumi_policy.EnforcementLevel.ADVISORY,
}


def _objects(token: str, properties: struct_pb2.Struct) -> list[Object]:
    """The objects of a resource; one with a fault where Python cannot read so many levels."""
    try:
        return list(objects_in(_manifest(token, properties), token=token))
    except RecursionError:
        return [unreadable(View(None), TOO_DEEP)]


def _manifest(token: str, properties: struct_pb2.Struct) -> dict[str, Any]:
    wanted = ("apiVersion", "kind", "metadata") if token in _METADATA_ONLY else properties.fields
    return {key: _plain(properties.fields[key]) for key in wanted if key in properties.fields}


def _plain(value: struct_pb2.Value) -> Any:  # noqa: ANN401 - any JSON value
    """As `json_format.MessageToDict`, which raises at an infinite number."""
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return {key: _plain(below) for key, below in value.struct_value.fields.items()}
    if kind == "list_value":
        return [_plain(below) for below in value.list_value.values]
    return None if kind in (None, "null_value") else getattr(value, kind)


def _bare(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """What the SDK's proxies hold; reading an unknown value through them would raise."""
    if type(value).__module__ == "pulumi_policy.proxy":
        value = value["__target"]
    if isinstance(value, Mapping):
        return {key: _bare(below) for key, below in value.items()}
    return [_bare(below) for below in value] if isinstance(value, list) else value
