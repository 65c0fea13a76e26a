"""The rules as policies of a Pulumi policy pack. Only this module knows Pulumi."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any

import pulumi_policy
import pulumi_policy.policy as sdk
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import analyzer_pb2

from omnibase_policies.asking import rules_for
from omnibase_policies.evaluation import run, run_stack
from omnibase_policies.mending import mended
from omnibase_policies.model import RULES, STACK_RULES, Level, Problem, Rule, RuleText, StackRule, State, every_rule
from omnibase_policies.objects import TOO_DEEP, Object, Registered, objects_in, unreadable
from omnibase_policies.parameters import ParameterError, Parameters, parse, unknown_name
from omnibase_policies.resources import is_judged
from omnibase_policies.values import View

NAME = "omnibase-security"
DOCUMENTATION = "docs/reference/policies.md"
EVERY_RULE = "all"
"""In a configuration the name of every rule; it has a level, and nothing else."""

_ADVISORY = pulumi_policy.EnforcementLevel.ADVISORY
_PROD = re.compile(r"(^|[-_/.])prod(uction)?$")
"""Names of stacks whose resources nothing but their program may change."""
_METADATA_ONLY = frozenset(
    {
        "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition",
    }
)
"""Large, and nothing but their metadata matters: the rest is not even read."""
_CONFIG: dict[str, Any] = {
    "parameters": {"type": "object"},
    "waivers": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {key: {"type": "string"} for key in ("object", "reason", "owner", "until")},
            "required": ["object", "reason", "owner", "until"],
            "additionalProperties": False,
        },
    },
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
        self._policies = {policy.name: policy for policy in policies}
        self._parameters = Parameters()
        self._version, self._stack = version, ""

    def Analyze(self, request: Any, _context: object) -> Any:  # noqa: ANN401, N802 - gRPC's name and messages
        """What the rules say about one resource."""
        response = analyzer_pb2.AnalyzeResponse()
        if not is_judged(request.type):
            return response
        found = _objects(request)
        for rule in {rule.id: rule for each in found for rule in rules_for(each)}.values():
            policy = self._policies[rule.id]
            level = self._level(policy)
            if level == pulumi_policy.EnforcementLevel.DISABLED:
                continue
            problems = [problem for each in found for problem in run(rule, each, self._parameters)]
            if problems:
                self._tell(response, policy, describe(rule, problems, State.VIOLATED), level)
                self._tell(response, policy, describe(rule, problems, State.UNKNOWN), _ADVISORY)
        return response

    def AnalyzeStack(self, request: Any, _context: object) -> Any:  # noqa: ANN401, N802 - gRPC's name and messages
        """What the rules over a whole stack say; in `up` it is asked when everything is deployed."""
        response = analyzer_pb2.AnalyzeResponse()
        objects, urns = _by_urn((each.urn, _objects(each)) for each in request.resources if is_judged(each.type))
        for rule in STACK_RULES.values():
            policy = self._policies[rule.id]
            level = self._level(policy)
            if level == pulumi_policy.EnforcementLevel.DISABLED:
                continue
            told = response, policy.name, policy.description
            report = self._create_report_violation(*told, level, policy.severity)
            advise = self._create_report_violation(*told, _ADVISORY, policy.severity)
            _report_together(rule, objects, urns, self._parameters, report=report, advise=advise)
        return response

    def Remediate(self, request: Any, _context: object) -> Any:  # noqa: ANN401, N802 - gRPC's name and messages
        """The inputs of a resource after each rule of the level `remediate` that puts something right."""
        try:
            return self._remediate(request)
        except (RecursionError, json_format.Error):  # so many levels cannot be written again: `Analyze` judges them
            return analyzer_pb2.RemediateResponse()

    def _remediate(self, request: Any) -> Any:  # noqa: ANN401 - as above
        response = analyzer_pb2.RemediateResponse()
        rules = self._mending_rules() if is_judged(request.type) else []
        manifest = {key: _plain(value) for key, value in request.properties.fields.items()} if rules else {}
        for rule in rules:
            better = mended(rule, manifest, self._parameters, token=request.type, registered=_registered(request))
            if better is not None:
                manifest = better
                response.remediations.append(self._remediation(rule, manifest))
        return response

    def _tell(
        self,
        response: Any,  # noqa: ANN401 - the engine's message
        policy: pulumi_policy.Policy,
        message: str,
        level: pulumi_policy.EnforcementLevel,
    ) -> None:
        """Add what a rule says of a resource to the answer, if it says something."""
        if message:
            report = self._create_report_violation(response, policy.name, policy.description, level, policy.severity)
            report(message, None)

    def _level(self, policy: pulumi_policy.Policy) -> pulumi_policy.EnforcementLevel:
        """What a violation does: what `remediate` could not put right stops."""
        level = self._get_enforcement_level(policy)
        remediate = pulumi_policy.EnforcementLevel.REMEDIATE
        return pulumi_policy.EnforcementLevel.MANDATORY if level == remediate else level

    def _mending_rules(self) -> list[Rule]:
        remediate = pulumi_policy.EnforcementLevel.REMEDIATE
        return [
            rule
            for rule in RULES.values()
            if rule.right is not None and self._get_enforcement_level(self._policies[rule.id]) == remediate
        ]

    def _remediation(self, rule: Rule, manifest: Mapping[str, Any]) -> Any:  # noqa: ANN401 - the engine's message
        properties = json_format.ParseDict(dict(manifest), struct_pb2.Struct())
        return analyzer_pb2.Remediation(
            policyName=rule.id,
            policyPackName=NAME,
            policyPackVersion=self._version,
            description=rule.title,
            properties=properties,
        )

    def ConfigureStack(self, request: Any, context: object) -> Any:  # noqa: ANN401, N802 - gRPC's name and messages
        """Take the name of the stack.

        Raises:
            ParameterError: as `Configure`.
        """
        self._stack = request.stack
        self._refuse_mending_in_prod()
        return super().ConfigureStack(request, context)

    def _refuse_mending_in_prod(self) -> None:
        """In prod runs what the program says, or nothing."""
        if _PROD.search(self._stack) and (rules := self._mending_rules()):
            raise ParameterError(
                f"{rules[0].id}: level 'remediate' is not allowed in stack {self._stack!r}; "
                "say 'mandatory', and change the program"
            )

    def Configure(self, request: Any, context: object) -> empty_pb2.Empty:  # noqa: ANN401, N802 - gRPC's
        """Take levels and waivers.

        Raises:
            ParameterError: a rule that does not exist, a wrong waiver, or a level that prod does not take; the engine
                stops.
        """
        config = {name: json_format.MessageToDict(given.properties) for name, given in request.policyConfig.items()}
        self._parameters = configured(config)
        result: empty_pb2.Empty = super().Configure(request, context)  # type: ignore[no-untyped-call]  # SDK
        self._refuse_mending_in_prod()
        return result


def configured(config: Mapping[str, Mapping[str, Any]]) -> Parameters:
    """Parameters from the properties that a configuration file gives to each rule.

    Raises:
        ParameterError: as `parse`, and what stands under `all` beside its level, which is not read here; the engine
            itself takes that, and names that no rule has.
    """
    for key in config.get(EVERY_RULE, ()):
        raise ParameterError(f"{EVERY_RULE}: {key!r} is not allowed here, but under the one rule that it is for")
    config = {name: given for name, given in config.items() if name != EVERY_RULE}
    unknown = next((name for name in config if name not in every_rule()), None)
    if unknown is not None:
        raise ParameterError(unknown_name("rule", unknown, every_rule()))
    for name, properties in config.items():
        _refuse_other_shapes(name, properties)
    waivers = [
        {**waiver, "rule": name} for name, properties in config.items() for waiver in properties.get("waivers") or []
    ]
    parameters: dict[str, Any] = {}
    for name, properties in config.items():
        for key, value in (properties.get("parameters") or {}).items():
            if parameters.setdefault(key, value) != value:
                raise ParameterError(f"{name}: parameter {key!r} has another value at another rule; all rules share it")
    return parse({**parameters, "waivers": waivers})


def _refuse_other_shapes(rule: str, properties: Mapping[str, Any]) -> None:
    """What a file says of a rule may never have been held against the schema, as the engine does."""
    allowed = ("enforcementLevel", *_CONFIG)
    stranger = next((key for key in properties if key not in allowed), None)
    if stranger is not None:
        raise ParameterError(f"{rule}: {stranger!r} is unknown; allowed are {', '.join(allowed)}")
    waivers, parameters = properties.get("waivers") or [], properties.get("parameters") or {}
    if not (isinstance(waivers, list) and all(isinstance(each, Mapping) for each in waivers)):
        raise ParameterError(f"{rule}: waivers must be a list of mappings with object, reason, owner and until")
    if not isinstance(parameters, Mapping):
        raise ParameterError(f"{rule}: parameters must be a mapping")


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


def _registered(resource: Any) -> Registered:  # noqa: ANN401 - one of two messages of the engine with the same fields
    """What the engine says of a resource beside its properties."""
    provider = resource.provider.name if resource.HasField("provider") else ""
    return Registered(name=resource.name, protect=resource.options.protect, provider=provider)


def _by_urn(resources: Iterable[tuple[str, Iterable[Object]]]) -> tuple[list[Object], dict[int, str]]:
    """All objects, and the URN of each."""
    pairs = [(each, urn) for urn, objects in resources for each in objects]
    return [each for each, _ in pairs], {id(each): urn for each, urn in pairs}


def _report_together(
    rule: StackRule,
    objects: Sequence[Object],
    urns: Mapping[int, str],
    parameters: Parameters,
    *,
    report: Report,
    advise: Report | None = None,
) -> None:
    """One message for each object that a rule over the whole stack complains of, or cannot judge yet."""
    problems: dict[int, list[Problem]] = {}
    for found, problem in run_stack(rule, objects, parameters):
        problems.setdefault(id(found), []).append(problem)
    for key, complaints in problems.items():
        for state, tell in ((State.VIOLATED, report), (State.UNKNOWN, advise)):
            message = describe(rule, complaints, state)
            if message and tell is not None:
                tell(message, urns[key])


def _stack_policy(rule: StackRule) -> pulumi_policy.StackValidationPolicy:
    def validate(args: pulumi_policy.StackValidationArgs, report: Report) -> None:
        """What the SDK's own servicer calls; ours does not."""
        judged = [each for each in args.resources if is_judged(each.resource_type)]
        objects, urns = _by_urn(
            (each.urn, objects_in(_bare(each.props), token=each.resource_type, registered=_without_marks(each)))
            for each in judged
        )
        _report_together(rule, objects, urns, configured({rule.id: args.get_config()}), report=report)

    return pulumi_policy.StackValidationPolicy(rule.id, rule.title, validate, **_told(rule))


def _policy(rule: Rule) -> pulumi_policy.ResourceValidationPolicy:
    def validate(args: pulumi_policy.ResourceValidationArgs, report: Report) -> None:
        """What the SDK's own servicer calls; ours does not."""
        if not is_judged(args.resource_type):
            return
        parameters = configured({rule.id: args.get_config()})
        found = objects_in(_bare(args.props), token=args.resource_type, registered=_without_marks(args))
        message = describe(rule, [problem for each in found for problem in run(rule, each, parameters)], State.VIOLATED)
        if message:
            report(message)

    return pulumi_policy.ResourceValidationPolicy(rule.id, rule.title, validate, **_told(rule))


def _without_marks(resource: Any) -> Registered:  # noqa: ANN401 - one of two classes of the SDK with the same fields
    """As `_registered`; the SDK takes the marks of secrets off."""
    provider = resource.provider.name if resource.provider is not None else ""
    return Registered(name=resource.name, protect=resource.opts.protect, provider=provider, keeps_marks=False)


def _told(rule: RuleText) -> dict[str, Any]:
    """What the engine is told of a rule beside its id, its title and the check."""
    framework = pulumi_policy.PolicyComplianceFramework(name=", ".join(rule.frameworks)) if rule.frameworks else None
    return {
        "enforcement_level": _LEVELS[rule.level],
        "config_schema": pulumi_policy.PolicyConfigSchema(_CONFIG),
        "display_name": rule.title,
        "severity": pulumi_policy.Severity(rule.severity.value),
        "framework": framework,
        "remediation_steps": rule.remedy,
    }


_LEVELS = {
    Level.MANDATORY: pulumi_policy.EnforcementLevel.MANDATORY,
    Level.ADVISORY: _ADVISORY,
}


def _objects(resource: Any) -> list[Object]:  # noqa: ANN401 - as `_registered`
    """The objects of a resource; one with a fault where Python cannot read so many levels."""
    try:
        manifest = _manifest(resource.type, resource.properties)
        return list(objects_in(manifest, token=resource.type, registered=_registered(resource)))
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
