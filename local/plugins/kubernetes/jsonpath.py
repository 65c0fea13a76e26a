"""JSONPath (RFC 9535) for `pulumi.com/waitFor`: names, indexes, wildcards, slices, descendants and filters."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from local.plugins.common.values import Json

_TOKEN = re.compile(
    r"""\s*(?:(?P<punct>\.\.|\|\||&&|==|!=|<=|>=|[.\[\]()*,:?@$!<>])
    |(?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    |(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    |(?P<name>[^\W\d][\w-]*))""",
    re.VERBOSE,
)
Nodes = list[Json]
Step = Callable[[Nodes, Json], Nodes]
Test = Callable[[Json, Json], bool]
_NOTHING = object()


@dataclass(frozen=True)
class JsonPath:
    """A parsed query."""

    text: str
    steps: tuple[Step, ...]

    def select(self, root: Json) -> Nodes:
        """Every value that the query selects, in document order."""
        return _walk(self.steps, root, root)


def parse(text: str) -> JsonPath:
    """Parse a query that starts with `$`.

    Raises:
        ValueError: the text is not JSONPath, with the place where it stops being so.
    """
    parser = _Parser(text)
    parser.expect("$")
    steps = parser.steps()
    parser.end()
    return JsonPath(text, steps)


def _walk(steps: tuple[Step, ...], start: Json, root: Json) -> Nodes:
    nodes = [start]
    for step in steps:
        nodes = step(nodes, root)
    return nodes


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str]] = []
        position = 0
        while text[position:].strip():
            match = _TOKEN.match(text, position)
            if match is None:
                raise ValueError(f"JSONPath {text!r}: unexpected {text[position:].strip()[:10]!r}")
            kind = match.lastgroup or ""
            self.tokens.append((kind, match.group(kind)))
            position = match.end()
        self.at = 0

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")

    def take(self, text: str) -> bool:
        if self.peek() == ("punct", text):
            self.at += 1
            return True
        return False

    def expect(self, text: str) -> None:
        if not self.take(text):
            raise ValueError(f"JSONPath {self.text!r}: expected {text!r} before {self.peek()[1] or 'the end'!r}")

    def end(self) -> None:
        if self.peek()[0] != "end":
            raise ValueError(f"JSONPath {self.text!r}: unexpected {self.peek()[1]!r}")

    def steps(self) -> tuple[Step, ...]:
        found: list[Step] = []
        while True:
            if self.take(".."):
                found.append(_descend)
                found.append(self.brackets() if self.peek() == ("punct", "[") else self.member())
            elif self.take("."):
                found.append(self.member())
            elif self.peek() == ("punct", "["):
                found.append(self.brackets())
            else:
                return tuple(found)

    def member(self) -> Step:
        if self.take("*"):
            return _each
        kind, text = self.peek()
        if kind != "name":
            raise ValueError(f"JSONPath {self.text!r}: expected a name before {text or 'the end'!r}")
        self.at += 1
        return _child(text)

    def brackets(self) -> Step:
        self.expect("[")
        selectors = [self.selector()]
        while self.take(","):
            selectors.append(self.selector())
        self.expect("]")
        return _any_of(selectors)

    def selector(self) -> Step:
        if self.take("*"):
            return _each
        if self.take("?"):
            return _filter(self.either())
        kind, text = self.peek()
        if kind == "string":
            self.at += 1
            return _child(_unquote(text))
        return self.position()

    def position(self) -> Step:
        parts: list[int | None] = [self.integer()]
        while self.take(":"):
            parts.append(self.integer())
        if len(parts) == 1 and parts[0] is not None:
            return _index(parts[0])
        if len(parts) in (2, 3):
            return _slice(slice(*parts))
        raise ValueError(f"JSONPath {self.text!r}: expected a selector before {self.peek()[1] or 'the end'!r}")

    def integer(self) -> int | None:
        kind, text = self.peek()
        if kind != "number":
            return None
        self.at += 1
        return int(text)

    def either(self) -> Test:
        tests = [self.both()]
        while self.take("||"):
            tests.append(self.both())
        return tests[0] if len(tests) == 1 else lambda node, root: any(test(node, root) for test in tests)

    def both(self) -> Test:
        tests = [self.negation()]
        while self.take("&&"):
            tests.append(self.negation())
        return tests[0] if len(tests) == 1 else lambda node, root: all(test(node, root) for test in tests)

    def negation(self) -> Test:
        if self.take("!"):
            inner = self.negation()
            return lambda node, root: not inner(node, root)
        if self.take("("):
            inner = self.either()
            self.expect(")")
            return inner
        return self.comparison()

    def comparison(self) -> Test:
        left, is_query = self.operand()
        kind, operator = self.peek()
        if kind == "punct" and operator in _COMPARE:
            self.at += 1
            right, _ = self.operand()
            compare = _COMPARE[operator]
            return lambda node, root: compare(_first(left(node, root)), _first(right(node, root)))
        if not is_query:
            raise ValueError(f"JSONPath {self.text!r}: a constant alone is no test")
        return lambda node, root: bool(left(node, root))

    def operand(self) -> tuple[Callable[[Json, Json], Nodes], bool]:
        if self.take("@"):
            steps = self.steps()
            return lambda node, root: _walk(steps, node, root), True
        if self.take("$"):
            steps = self.steps()
            return lambda node, root: _walk(steps, root, root), True
        kind, text = self.peek()
        self.at += 1
        if kind == "string":
            value: Json = _unquote(text)
        elif kind == "number":
            value = json.loads(text)
        elif kind == "name" and text in _CONSTANTS:
            value = _CONSTANTS[text]
        else:
            raise ValueError(f"JSONPath {self.text!r}: expected a value before {text or 'the end'!r}")
        return lambda node, root: [value], False


_CONSTANTS: dict[str, Json] = {"true": True, "false": False, "null": None}


def _unquote(text: str) -> str:
    inner = text[1:-1]
    if text[0] == "'":
        inner = inner.replace("\\'", "'").replace('"', '\\"')
    return str(json.loads(f'"{inner}"'))


def _first(nodes: Nodes) -> Json:
    return nodes[0] if nodes else _NOTHING


def _equal(left: Json, right: Json) -> bool:
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


def _less(left: Json, right: Json) -> bool:
    both_text = isinstance(left, str) and isinstance(right, str)
    numbers = [item for item in (left, right) if isinstance(item, int | float) and not isinstance(item, bool)]
    return bool(left < right) if both_text or len(numbers) == 2 else False  # noqa: PLR2004


_COMPARE: dict[str, Callable[[Json, Json], bool]] = {
    "==": _equal,
    "!=": lambda left, right: not _equal(left, right),
    "<": _less,
    ">": lambda left, right: _less(right, left),
    "<=": lambda left, right: _less(left, right) or _equal(left, right),
    ">=": lambda left, right: _less(right, left) or _equal(left, right),
}


def _children(node: Json) -> Iterator[Json]:
    if isinstance(node, dict):
        yield from node.values()
    elif isinstance(node, list):
        yield from node


def _each(nodes: Nodes, root: Json) -> Nodes:
    del root
    return [child for node in nodes for child in _children(node)]


def _descend(nodes: Nodes, root: Json) -> Nodes:
    found: Nodes = []
    for node in nodes:
        found.append(node)
        found += _descend(list(_children(node)), root)
    return found


def _child(name: str) -> Step:
    return lambda nodes, root: [node[name] for node in nodes if isinstance(node, dict) and name in node]


def _index(position: int) -> Step:
    return lambda nodes, root: [
        node[position] for node in nodes if isinstance(node, list) and -len(node) <= position < len(node)
    ]


def _slice(part: slice) -> Step:
    return lambda nodes, root: [item for node in nodes if isinstance(node, list) for item in node[part]]


def _filter(test: Test) -> Step:
    return lambda nodes, root: [child for node in nodes for child in _children(node) if test(child, root)]


def _any_of(selectors: list[Step]) -> Step:
    if len(selectors) == 1:
        return selectors[0]
    return lambda nodes, root: [found for node in nodes for selector in selectors for found in selector([node], root)]
