"""Label selectors, as the API server matches them."""

from __future__ import annotations

from collections.abc import Mapping

from omnibase_policies.values import View

Labels = Mapping[str, str]


def labels_of(view: View) -> Labels | None:
    """Labels as texts; None if one of them is not known yet."""
    if view.is_unknown or any(value.is_unknown for _, value in view.fields()):
        return None
    return {name: value.text() for name, value in view.fields()}


def matches(selector: View, labels: Labels | None) -> bool | None:
    """Whether a selector with matchLabels and matchExpressions takes these labels; None if that is not known yet.

    An empty selector takes all.
    """
    if labels is None or selector.is_unknown:
        return None
    answers = [_equal(labels, name, value) for name, value in selector["matchLabels"].fields()]
    answers += [_expression(labels, each) for each in selector["matchExpressions"].items()]
    return _all(answers)


def matches_plain(selector: View, labels: Labels | None) -> bool | None:
    """The same for a selector that is a mapping of labels, as that of a Service."""
    if labels is None or selector.is_unknown:
        return None
    return _all([_equal(labels, name, value) for name, value in selector.fields()])


def _all(answers: list[bool | None]) -> bool | None:
    if False in answers:
        return False
    return None if None in answers else True


def _equal(labels: Labels, name: str, value: View) -> bool | None:
    return None if value.is_unknown else labels.get(name) == value.text()


def _expression(labels: Labels, expression: View) -> bool | None:
    key, operator = expression["key"], expression["operator"]
    if key.is_unknown or operator.is_unknown or expression["values"].is_unknown:
        return None
    there, value = key.text() in labels, labels.get(key.text())
    if operator.text() == "Exists":
        return there
    if operator.text() == "DoesNotExist":
        return not there
    named = value in expression["values"].texts()
    return not named if operator.text() == "NotIn" else there and named
