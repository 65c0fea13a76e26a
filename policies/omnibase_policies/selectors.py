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


class Selector:
    """A selector with matchLabels and matchExpressions, read once, as it is asked for every pod of a stack."""

    __slots__ = ("_expressions", "_is_open", "_wanted")

    def __init__(self, view: View, labels: View | None = None) -> None:
        """`labels` are those of a selector that is nothing but a mapping of labels."""
        named = view["matchLabels"] if labels is None else labels
        self._expressions = view["matchExpressions"].items() if labels is None else []
        self._wanted = {name: value.text() for name, value in named.fields() if not value.is_unknown}
        self._is_open = named.is_unknown or len(self._wanted) < len(named.fields())

    @classmethod
    def plain(cls, view: View) -> Selector:
        """One that is a mapping of labels, as that of a Service."""
        return cls(view, view)

    def takes(self, labels: Labels | None) -> bool | None:
        """Whether it takes these labels; None if that is not known yet. An empty selector takes all."""
        if labels is None:
            return None
        if not self._wanted.items() <= labels.items():
            return False
        answers = [_expression(labels, each) for each in self._expressions]
        if False in answers:
            return False
        return None if self._is_open or None in answers else True


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
