"""Rules for Kubernetes objects as plain functions, for a policy pack, a test or a script.

from omnibase_policies import evaluate
for finding in evaluate(manifests, tier="prod"): ...
"""

from omnibase_policies.evaluation import check_registrations, evaluate, evaluate_stack
from omnibase_policies.model import RULES, STACK_RULES, Finding, Level, Rule, Severity, StackRule, State, Tier
from omnibase_policies.parameters import ParameterError, Waiver
from omnibase_policies.pss import pod_security

__all__ = [
    "RULES",
    "STACK_RULES",
    "Finding",
    "Level",
    "ParameterError",
    "Rule",
    "Severity",
    "StackRule",
    "State",
    "Tier",
    "Waiver",
    "check_registrations",
    "evaluate",
    "evaluate_stack",
    "pod_security",
]
