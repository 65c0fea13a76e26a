"""YAML read strictly: only what every reader (this program, the engine, an editor) understands in the same way.

YAML 1.1 and 1.2 read `no`, `010` or `1:30` differently, and the readers of one version disagree about keys that occur
twice. The engine reads a stack file with one of them and `make` with another, so whatever is not the same in all is a
fault, with its place, its key path and what to write instead. All faults of a file are found in one reading; only what
makes the rest unreadable ends it. No message repeats a line of the file, which could hold a secret.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
Keys = tuple[str | int, ...]
"""Where a value is: keys of mappings, and numbers of places in lists."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster, where PyYAML was built with it
_QUOTE = "put it into quotes if it is a text"
_UNLIKE: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (
        re.compile(r"(?i)yes|no|on|off"),
        "is true or false for some readers of YAML and a text for others",
        f"write true or false; {_QUOTE}",
    ),
    (
        re.compile(r"[-+]?0[0-9_]+|[-+]?0[oxb][0-9a-fA-F_]+"),
        "is octal, decimal, hexadecimal or a text, depending on the reader",
        f"write the number in decimal without leading zeros; {_QUOTE}",
    ),
    (
        re.compile(r"[-+]?[0-9]+(:[0-5]?[0-9])+(\.[0-9]*)?"),
        "is a number to the base of 60 for some readers of YAML and a text for others",
        "put it into quotes",
    ),
    (
        re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?"),
        "is a date for some readers of YAML and a text for others",
        "put it into quotes",
    ),
    (
        re.compile(r"[-+]?[0-9][0-9_]*_[0-9_.]*"),
        "is a number for some readers of YAML and a text for others",
        f"write the number without underscores; {_QUOTE}",
    ),
    (
        re.compile(
            r"(?i)[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+)e[-+]?[0-9]+|[-+]?\.[0-9]+|[-+]?[0-9]+\.|[-+]?\.inf|\.nan"
        ),
        "is a number for some readers of YAML and a text for others",
        f"write the number with digits on both sides of the point and without exponent; {_QUOTE}",
    ),
    (re.compile(r"="), "has a meaning of its own for some readers of YAML", "put it into quotes"),
)
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT, _FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]*)"), re.compile(r"[-+]?[0-9]+\.[0-9]+")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]")
"""Characters that YAML forbids, and those that end a line in YAML 1.1 alone."""
_SYNTAX = {
    "did not find expected key": "indent keys of the same mapping alike",
    "could not find expected ':'": "write `key: value`; quotes that are not closed do this too",
    "mapping values are not allowed": "put a value that holds `: ` into quotes; indent keys of the same mapping alike",
    "block sequence entries are not allowed": "put the list below its key, on lines of its own",
    "did not find expected ',' or": "separate the values by commas and close the bracket",
    "found unexpected end of stream": "close the quotes or the bracket that is opened here",
    "found unknown escape character": "use single quotes, in which a backslash is a backslash",
    "found undefined tag handle": "remove the tag",
    "cannot start any token": "put a value that begins with @, ` or % into quotes",
    "did not find expected '-' indicator": "indent all entries of a list alike",
    "exceeded maximum nesting depth": f"{MAX_DEPTH} levels are allowed",
}


@dataclass(frozen=True, order=True)
class Place:
    """A place in a file; both count from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing in a file that readers do not agree about, or cannot read."""

    place: Place
    keys: Keys
    received: str
    allowed: str
    hint: str


@dataclass
class Document:
    """What a file says. With faults, `values` is what could be understood."""

    values: Any = None
    places: dict[Keys, Place] = field(default_factory=dict)
    """Where each key, and each entry of a list, stands."""
    faults: list[Fault] = field(default_factory=list)
    complete: bool = True
    """False where a fault ended the reading."""


class _UnreadableError(Exception):
    """The rest cannot be read; the fault is in the document already."""


def read_yaml(data: bytes) -> Document:
    """Read one YAML document; never raises."""
    reader = _Reader()
    try:
        reader.read(reader.decode(data))
    except _UnreadableError:
        reader.document.complete = False
    return reader.document


@dataclass
class _Frame:
    """A mapping or list that is being read."""

    keys: Keys
    value: dict[str, Any] | list[Any]
    key: str | None = None
    doubled: bool = False
    """Whether `key` was there already."""


@dataclass
class _Reader:
    """Builds a document from the parser's events, without recursion."""

    document: Document = field(default_factory=Document)
    frames: list[_Frame] = field(default_factory=list)
    documents: int = 0

    def decode(self, data: bytes) -> str:
        """The text of the file, if it is text that YAML allows."""
        if len(data) > MAX_BYTES:
            hint = "a stack file holds only what differs from the defaults"
            self._end(Place(1, 1), f"more than {MAX_BYTES} bytes", "is no stack file", hint)
        if data[:2] in (b"\xff\xfe", b"\xfe\xff") or (data[:4].count(0) and data[:1] != b"\0"):
            self._end(Place(1, 1), "UTF-16 or UTF-32", "must be UTF-8", "save the file as UTF-8")
        if data.startswith(b"\xef\xbb\xbf"):
            hint = "save the file as UTF-8 without BOM"
            self._fault(Place(1, 1), "a byte order mark", "must not be there", hint)
            data = data[3:]
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            before = data[: error.start].decode("utf-8")
            hint = "save the file as UTF-8; it may be Latin-1 or Windows-1252 now"
            self._end(_place(before), f"byte 0x{data[error.start]:02x}", "is not UTF-8", hint)
        if found := _CONTROL.search(text):
            place = _place(text[: found.start()])
            self._end(place, f"character U+{ord(found[0]):04X}", "must not be there", "remove it")
        return text

    def read(self, text: str) -> None:
        """Take every event of the text."""
        try:
            for event in yaml.parse(text, Loader=_LOADER):
                self._take(event)
        except yaml.YAMLError as error:
            self._syntax(error, text)

    def _take(self, event: yaml.Event) -> None:
        place = _mark(event.start_mark)
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                self._end(place, "a second document", "must be the only one in the file", "remove the line `---`")
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self.frames.pop()
        elif isinstance(event, yaml.AliasEvent):
            self._fault(place, f"alias *{event.anchor}", *_NO_ALIAS, keys=self._keys())
            self._put(None, place)
        elif isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent):
            self._node(event, place)

    def _node(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, place: Place) -> None:
        if event.anchor:
            self._fault(place, f"anchor &{event.anchor}", *_NO_ALIAS, keys=self._keys())
        if event.tag:
            hint = "remove the tag; put the value into quotes if it is a text"
            self._fault(place, f"tag {event.tag}", "is not allowed: readers do not agree on tags", hint, self._keys())
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event, place)
        elif self._at_key():
            self._end(place, "a list or mapping as a key", "must be a text", "write `key: value`", self._keys())
        elif len(self.frames) >= MAX_DEPTH:
            levels = f"{len(self.frames) + 1} levels"
            self._end(place, levels, f"must be at most {MAX_DEPTH}", "remove some", self._keys())
        else:
            frame = _Frame(self._keys(), [] if isinstance(event, yaml.SequenceStartEvent) else {})
            self._put(frame.value, place)
            self.frames.append(frame)

    def _scalar(self, event: yaml.ScalarEvent, place: Place) -> None:
        text, plain = event.value, event.style in (None, "") and not event.tag
        if self._at_key():
            self._key(text, place, plain=plain)
            return
        unlike = next(((why, hint) for known, why, hint in _UNLIKE if plain and known.fullmatch(text)), None)
        if unlike:
            self._fault(place, text, *unlike, keys=self._keys())
        self._put(text if unlike or not plain else _value(text), place)

    def _key(self, text: str, place: Place, *, plain: bool) -> None:
        frame = self.frames[-1]
        keys = (*frame.keys, text)
        if plain and text == "<<":
            self._fault(place, "merge key <<", *_NO_ALIAS, keys=keys)
        elif plain and (any(known.fullmatch(text) for known, _, _ in _UNLIKE) or not isinstance(_value(text), str)):
            self._fault(place, f"key {text or 'nothing'}", "must be a text", "put it into quotes", keys)
        frame.key, frame.doubled = text, text in frame.value
        if frame.doubled:
            allowed = f"must occur once; the first is in line {self.document.places[keys].line}"
            self._fault(place, "a key that is there already", allowed, "join the two, or remove one", keys)
        self.document.places.setdefault(keys, place)

    def _put(self, value: object, place: Place) -> None:
        if not self.frames:
            self.document.values = value
            return
        frame = self.frames[-1]
        if isinstance(frame.value, list):
            self.document.places.setdefault((*frame.keys, len(frame.value)), place)
            frame.value.append(value)
        elif frame.key is not None:
            if not frame.doubled:
                frame.value[frame.key] = value
            frame.key = None

    def _at_key(self) -> bool:
        return bool(self.frames) and isinstance(self.frames[-1].value, dict) and self.frames[-1].key is None

    def _keys(self) -> Keys:
        """Where the next value belongs."""
        if not self.frames:
            return ()
        frame = self.frames[-1]
        if isinstance(frame.value, list):
            return (*frame.keys, len(frame.value))
        return frame.keys if frame.key is None else (*frame.keys, frame.key)

    def _syntax(self, error: yaml.YAMLError, text: str) -> None:
        place = _mark(error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None)
        line = [*text.splitlines(), ""][min(place.line - 1, len(text.splitlines()))]
        if "\t" in line[: len(line) - len(line.lstrip())]:
            self._end(place, "a tab", "must not indent anything in YAML", "indent with spaces", self._keys())
        problem = str(getattr(error, "problem", None) or "cannot be read")
        hint = next((hint for known, hint in _SYNTAX.items() if known in problem), "mend the YAML here, or just above")
        self._end(place, "no YAML", f"cannot be read: {problem}", hint, self._keys())

    def _fault(self, place: Place, received: str, allowed: str, hint: str, keys: Keys = ()) -> None:
        self.document.faults.append(Fault(place=place, keys=keys, received=received, allowed=allowed, hint=hint))

    def _end(self, place: Place, received: str, allowed: str, hint: str, keys: Keys = ()) -> None:
        self._fault(place, received, allowed, hint, keys)
        raise _UnreadableError


_NO_ALIAS = (
    "is not allowed: commands that change the file cannot keep it",
    "write the values where they belong; what all services share is a default of the environment",
)


def _value(text: str) -> str | int | float | bool | None:
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _mark(mark: Any) -> Place:  # noqa: ANN401 -- the C parser has a class of its own
    return Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)


def _place(before: str) -> Place:
    """Where the text after this one begins."""
    return Place(before.count("\n") + 1, len(before) - before.rfind("\n"))
