"""The page docs/reference/policies.md, made from the rules: `python -m omnibase_policies.reference`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from omnibase_policies import Rule
from omnibase_policies.examples import DOCKER_CONTAINER, POD
from omnibase_policies.model import Example, RuleText, every_rule
from omnibase_policies.pss import BASELINE, RESTRICTED

_HEAD = """# Policies

Made from the rules by `python -m omnibase_policies.reference`; do not edit.
How they work: [architecture](../architecture/policies.md).
Levels are those of test, staging and prod; in dev every rule is advisory. B and R: part of the Pod Security Standard
baseline or restricted.

| rule | what it asks for | severity | level | standard |
|-|-|-|-|-|
"""


def page() -> str:
    """The whole page."""
    rows = "".join(_row(rule) for rule in every_rule().values())
    sections = "".join(line for rule in every_rule().values() for line in _section(rule))
    base = json.dumps(POD, indent=2)
    intro = "The examples change fields of this pod, which breaks no rule."
    tail = f"\n## The hardened pod\n\n{intro}\n\n```json\n{base}\n```\n"
    container = json.dumps(DOCKER_CONTAINER, indent=2)
    tail += f"\n## The hardened container\n\nThe same for rules of Docker hosts.\n\n```json\n{container}\n```\n"
    return _HEAD + rows + sections + tail


def _row(rule: RuleText) -> str:
    standard = " ".join(mark for mark, rules in (("B", BASELINE), ("R", RESTRICTED)) if rule.id in rules)
    return f"| [{rule.id}](#{rule.id}) | {rule.title} | {rule.severity} | {rule.level} | {standard or '-'} |\n"


def _section(rule: RuleText) -> Iterator[str]:
    yield f"\n## {rule.id}\n\n{rule.title}.\n\n"
    yield f"- Why: {rule.rationale}\n- To do: {rule.remedy}\n"
    if rule.frameworks:
        yield f"- Also in: {'; '.join(rule.frameworks)}\n"
    if isinstance(rule, Rule) and rule.right is not None:
        yield "- The level `remediate` puts it right.\n"
    if isinstance(rule, Rule):
        yield f"- Stopped: {_example(rule.bad)}\n- Let through: {_example(rule.good)}\n"
    else:
        yield "- Judges all objects of a stack together.\n"


def _example(changes: Example) -> str:
    kind = str(changes.get("kind", ""))
    fields = [f"`{_path(path)}: {_value(value)}`" for path, value in changes.items() if path != "kind"]
    return f"{kind}{': ' if kind else ''}{', '.join(fields)}"


def _path(path: str) -> str:
    return re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", path)


def _value(value: object) -> str:
    return "(not set)" if value is None else json.dumps(value)


if __name__ == "__main__":
    print(page(), end="")
