"""A Dockerfile as instructions and stages: read tolerantly, for rules that judge it."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_COMMENT = re.compile(r"^\s*#")
_ESCAPE = re.compile(r"^\s*#\s*escape\s*=\s*`", re.IGNORECASE)
_HEREDOC = re.compile(r"<<-?\s*([\"']?)([A-Za-z_]\w*)\1")
_FLAG = re.compile(r"^--[a-z-]+(=\S*)?$")
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::?-([^}]{0,200}))?\}|(\w+))")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction, without its continuations and comments."""

    line: int
    name: str
    """In capitals."""
    flags: tuple[str, ...]
    """Options before the rest, for example `--network=host`."""
    text: str
    """The rest, with the lines of a here-document."""

    @property
    def words(self) -> list[str]:
        """The rest in words; of the exec form its strings."""
        exec_form = self.exec_form
        return self.text.split() if exec_form is None else exec_form

    @property
    def exec_form(self) -> list[str] | None:
        """The strings of the exec form, None for the shell form."""
        if not self.text.startswith("["):
            return None
        try:
            found = json.loads(self.text)
        except ValueError:
            return None
        is_form = isinstance(found, list) and all(isinstance(each, str) for each in found)
        return found if is_form else None


@dataclass(slots=True)
class Stage:
    """One stage: what it begins with, and its instructions."""

    base: str
    """Reference of an image, or the name of an earlier stage; arguments with a default are put in."""
    name: str
    line: int
    instructions: list[Instruction] = field(default_factory=list)

    def of(self, *names: str) -> list[Instruction]:
        """Its instructions of some names."""
        return [each for each in self.instructions if each.name in names]


@functools.lru_cache(maxsize=4)
def stages_of(text: str) -> tuple[Stage, ...]:
    """The stages in their order; none for a text that has no FROM. Each rule reads the same text: it is kept."""
    defaults: dict[str, str] = {}
    found: list[Stage] = []
    for each in instructions_of(text):
        if each.name == "FROM":
            words = [_filled(word, defaults) for word in each.words] or [""]
            name = words[2].lower() if len(words) > 2 and words[1].lower() == "as" else ""  # noqa: PLR2004 - base AS name
            found.append(Stage(words[0], name, each.line))
        elif found:
            found[-1].instructions.append(each)
        elif each.name == "ARG":
            name, is_set, value = each.text.partition("=")
            defaults |= {name.strip(): value.strip().strip("\"'")} if is_set else {}
    return tuple(found)


def _filled(word: str, defaults: dict[str, str]) -> str:
    """A word with the defaults of its arguments; one without a default stays as it is."""
    return _VARIABLE.sub(lambda match: defaults.get(match[1] or match[3]) or match[2] or match[0], word)


def instructions_of(text: str) -> Iterator[Instruction]:
    """The instructions in their order."""
    lines = text.split("\n")
    escape = "`" if lines and _ESCAPE.match(lines[0]) else "\\"
    at = 0
    while at < len(lines):
        first, parts = at, list[str]()
        while at < len(lines):
            line = lines[at].rstrip("\r")
            at += 1
            if _COMMENT.match(line) or not line.strip():
                if parts:
                    continue
                break
            is_open = line.rstrip().endswith(escape)
            parts.append(line.rstrip()[:-1] if is_open else line)
            if not is_open:
                break
        if parts:
            at, body = _heredocs(" ".join(parts), lines, at)
            yield _instruction(first + 1, " ".join(part.strip() for part in parts).strip(), body)


def _heredocs(said: str, lines: list[str], at: int) -> tuple[int, list[str]]:
    """Where the here-documents of an instruction end, and their lines."""
    body: list[str] = []
    is_instruction = said.split(maxsplit=1)[0].upper() in ("RUN", "COPY", "ADD")
    for _, word in _HEREDOC.findall(said) if is_instruction else ():
        while at < len(lines):
            line = lines[at].rstrip("\r")
            at += 1
            if line.strip() == word:
                break
            body.append(line)
    return at, body


def _instruction(line: int, said: str, body: list[str]) -> Instruction:
    name, _, rest = said.partition(" ")
    words = rest.split()
    flags = list[str]()
    while words and _FLAG.match(words[0]):
        flags.append(words.pop(0))
        rest = rest.lstrip()[len(flags[-1]) :]
    return Instruction(line, name.upper(), tuple(flags), "\n".join([rest.strip(), *body]).strip())
