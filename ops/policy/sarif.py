"""A judgement as SARIF 2.1.0, the form in which forges show findings beside the text."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from omnibase_policies import Severity
from omnibase_policies.model import RuleText, every_rule

from ops.policy.judgement import Finding, Judgement
from ops.policy.reports import PAGE, message_of, rules_of
from ops.policy.sources import STANDARD_INPUT

_LEVELS = ("error", "warning", "none", "note")
"""SARIF's level by the rank of a finding; what is open has none."""
_SCORES = {Severity.CRITICAL: "9.5", Severity.HIGH: "8.0", Severity.MEDIUM: "5.5", Severity.LOW: "3.0"}
"""Where forges draw the lines between their own severities."""


def to_sarif(judgement: Judgement) -> str:
    """The whole log, with the rules that said anything."""
    rules = rules_of(judgement)
    index = {rule.id: place for place, rule in enumerate(rules)}
    driver = {
        "name": "omnibase-security",
        "version": version("omnibase-infra-project"),
        "rules": [_rule(rule) for rule in rules],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(each, index[each.rule]) for each in judgement.findings],
    }
    log = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def _rule(rule: RuleText) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.rationale},
        "help": {"text": f"{rule.remedy} See {PAGE}#{rule.id}", "markdown": f"{rule.remedy} See `{PAGE}#{rule.id}`"},
        "defaultConfiguration": {"level": "error" if rule.level == "mandatory" else "warning"},
        "properties": {"tags": ["security", *rule.frameworks], "security-severity": _SCORES[rule.severity]},
    }


def _result(finding: Finding, index: int) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "kind": "open" if finding.rank == 2 else "fail",  # noqa: PLR2004 -- cannot tell yet
        "level": _LEVELS[finding.rank],
        "message": {"text": f"{finding.resource}: {message_of(finding)}. {every_rule()[finding.rule].remedy}"},
        "locations": [_location(finding)],
        "partialFingerprints": {"resourceRulePath/v1": _fingerprint(finding)},
    }
    if finding.waiver is not None:
        result["suppressions"] = [
            {"kind": "external", "status": "accepted", "justification": _justification(finding)},
        ]
    return result


def _justification(finding: Finding) -> str:
    waiver = finding.waiver
    return f"{waiver.reason} ({waiver.owner}, until {waiver.until})" if waiver else ""


def _location(finding: Finding) -> dict[str, Any]:
    found: dict[str, Any] = {
        "logicalLocations": [{"fullyQualifiedName": f"{finding.resource}#{finding.path}", "kind": "resource"}]
    }
    if finding.file != STANDARD_INPUT:
        found["physicalLocation"] = {
            "artifactLocation": {"uri": _uri(finding.file)},
            **({"region": {"startLine": finding.line}} if finding.line else {}),
        }
    return found


def _uri(file: str) -> str:
    path = PurePath(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())


def _fingerprint(finding: Finding) -> str:
    """Stays the same when lines move, so that a forge knows a finding again."""
    return hashlib.sha256(f"{finding.resource}\n{finding.rule}\n{finding.path}".encode()).hexdigest()[:32]
