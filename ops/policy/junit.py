"""A judgement as JUnit XML: a suite for each resource, a case for each rule that said anything of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from xml.etree import ElementTree as Xml

from ops.policy.judgement import Finding, Judgement
from ops.policy.reports import message_of, place_of, word_of

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_junit(judgement: Judgement) -> str:
    """Mandatory findings are failures, what cannot be told yet is skipped, advice and waived ones pass with a text."""
    found: dict[str, list[Finding]] = {name: [] for name in judgement.resources}
    for each in judgement.findings:
        found.setdefault(each.resource, []).append(each)
    top = Xml.Element("testsuites", {"name": f"policies for {judgement.settings.tier}"})
    suites = [_suite(top, name, findings) for name, findings in sorted(found.items())]
    for key in ("tests", "failures", "errors", "skipped"):
        top.set(key, str(sum(int(suite.get(key, "0")) for suite in suites)))
    Xml.indent(top)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{Xml.tostring(top, encoding="unicode")}\n'


def _suite(top: Xml.Element, resource: str, findings: Sequence[Finding]) -> Xml.Element:
    suite = Xml.SubElement(top, "testsuite", {"name": _clean(resource)})
    cases = [
        _case(suite, resource, rule, list(group)) for rule, group in groupby(sorted(findings, key=_rule), key=_rule)
    ]
    if not cases:
        cases = [Xml.SubElement(suite, "testcase", {"classname": _clean(resource), "name": "every rule", "time": "0"})]
    suite.set("tests", str(len(cases)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("errors", "0")
    suite.set("skipped", str(len(suite.findall("testcase/skipped"))))
    suite.set("time", "0")
    return suite


def _rule(finding: Finding) -> str:
    return finding.rule


def _case(suite: Xml.Element, resource: str, rule: str, findings: Sequence[Finding]) -> Xml.Element:
    case = Xml.SubElement(suite, "testcase", {"classname": _clean(resource), "name": rule, "time": "0"})
    text = "\n".join(f"{word_of(each)}: {message_of(each)} ({place_of(each)})" for each in findings)
    worst = min(each.rank for each in findings)
    if worst == 0:
        failure = Xml.SubElement(case, "failure", {"type": "mandatory", "message": _clean(text.splitlines()[0])})
        failure.text = _clean(text)
    elif word_of(findings[0]) == "cannot tell":
        Xml.SubElement(case, "skipped", {"message": _clean(text)})
    else:
        Xml.SubElement(case, "system-out").text = _clean(text)
    return case


def _clean(text: str) -> str:
    return _NOT_XML.sub("?", text)
