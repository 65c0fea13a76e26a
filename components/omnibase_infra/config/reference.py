"""The settings as a page for people and as a JSON schema for editors, both made from the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from omnibase_infra.config.descriptions import descriptions
from omnibase_infra.config.environments import ALIASES, Environment
from omnibase_infra.config.model import StackConfig
from omnibase_infra.config.sources import all_defaults
from omnibase_infra.config.stack_file import PROJECT
from omnibase_infra.config.units import Form, Quantity

_HEAD = """# Settings of a stack

Made from `components/omnibase_infra/config`; do not edit (`make goldens` writes it anew).

A stack file `Pulumi.<stack>.yaml` holds, below `config:` and with the prefix `omnibase-infra:`, only what differs from
the defaults of its environment. A variable `OMNIBASE__SECTION__FIELD` overrides both, for example
`OMNIBASE__POSTGRES__STORAGE_GIB=4`; in prod only key paths that `allowed_overrides` lists.

Unknown keys, wrong types, sizes that cannot work and references to nothing are all reported at once, before anything is
made, with file, line and column. `docs/reference/configuration.schema.json` serves editors; the first line of a stack
file names it. `ops config validate` checks without engine and cluster, `ops config show --origin` says where each value
comes from.

"""


_ENGINES_OWN = {
    "encryptionsalt": {
        "type": "string",
        "description": "Salt of the encrypted values, written by the engine; no secret.",
    },
    "encryptedkey": {
        "type": "string",
        "description": "Key of the encrypted values, itself encrypted by `secretsprovider`.",
    },
    "secretsprovider": {"type": "string", "description": "Who encrypts: a passphrase, or the key service of a cloud."},
    "environment": {"description": "Environments of Pulumi ESC; not used here."},
}
_SECURE = {
    "type": "object",
    "properties": {"secure": {"type": "string", "description": "The encrypted value."}},
    "required": ["secure"],
    "additionalProperties": False,
}

_KEYS: dict[Any, str] = {dict: ".<name>", list: "[]"}
"""What stands in a key path for a key of a mapping, and for a place in a list."""


def markdown() -> str:
    """The page docs/reference/configuration.md."""
    aliases = ", ".join(f"`{word}` = {meant}" for word, meant in ALIASES.items())
    columns = " | ".join(member.value for member in Environment)
    rule = "|".join(["-"] * (4 + len(Environment)))
    lines = [f"| key | type | default | {columns} | meaning |", f"|{rule}|"]
    lines += [_row(path, field, text) for path, field, text in _fields(StackConfig, "")]
    return f"{_HEAD}Environments have aliases: {aliases}.\n\n" + "\n".join(lines) + "\n"


def json_schema() -> dict[str, Any]:
    """JSON schema of a whole stack file. What the tier's defaults fill in is not required of the file."""
    model = StackConfig.model_json_schema()
    models = {each.__name__: each for each in _models(StackConfig)}
    definitions = {
        name: _described(_optional(schema), models[name])
        for name, schema in model.pop("$defs").items()
        if name in models
    }
    aliases = [*(member.value for member in Environment), *ALIASES]
    definitions["Environment"] = {"enum": aliases}
    definitions = {name: _encryptable(schema) for name, schema in definitions.items()}
    described = _described(model, StackConfig)["properties"]
    settings = {f"{PROJECT}:{key}": _encryptable(schema) for key, schema in described.items()}
    config = {
        "type": "object",
        "properties": settings,
        "required": [f"{PROJECT}:{key}" for key in ("cluster", "images")],  # databases may come from the catalogue
        # other namespaces belong to other programs, unknown keys of ours and keys without namespace are mistakes
        "patternProperties": {f"^(?!{PROJECT}:)[^:]+:.+$": {}},
        "additionalProperties": False,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "omnibase-infra stack file",
        "type": "object",
        "properties": {"config": config, **_ENGINES_OWN},
        "required": ["config"],
        "additionalProperties": False,
        "$defs": definitions,
    }


def _encryptable(schema: Any) -> Any:  # noqa: ANN401 -- a JSON value
    """The schema in which a secret may also be what `pulumi config set --secret` writes."""
    if isinstance(schema, list):
        return [_encryptable(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("format") == "password":
        plain = {key: value for key, value in schema.items() if key != "description"}
        return {**{key: schema[key] for key in ("description",) if key in schema}, "anyOf": [plain, _SECURE]}
    return {key: _encryptable(value) for key, value in schema.items()}


def _optional(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != "required"}


def _described(schema: dict[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a model with what its source says of each field."""
    texts = descriptions(model)
    properties = {name: {**found, "description": texts[name]} for name, found in schema["properties"].items()}
    return {**schema, "properties": properties}


def _models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """The model and all that it is made of."""
    yield model
    for field in model.model_fields.values():
        below = _model(field.annotation)
        if below is not None:
            yield from _models(below)


def _fields(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo, str]]:
    """Every leaf with its key path and what it is; `<name>` stands for the key of a mapping."""
    texts = descriptions(model)
    for name, field in model.model_fields.items():
        path = f"{prefix}{name}"
        below = _model(field.annotation)
        if below is None:
            yield path, field, texts.get(name, "")
        else:
            yield from _fields(below, f"{path}{_KEYS.get(get_origin(field.annotation), '')}.")


def _model(annotation: object) -> type[BaseModel] | None:
    candidates = [annotation, *get_args(annotation)]
    return next((known for known in candidates if isinstance(known, type) and issubclass(known, BaseModel)), None)


def _row(path: str, field: FieldInfo, text: str) -> str:
    derived = {"environment": "the stack's name", "services.<name>.image": "the service's name"}
    default = "required" if field.is_required() else f"`{_text(field.default)}`"
    default = derived.get(path, default)
    values = [_tier(environment, path) for environment in Environment]
    if any(values):
        default = ""
    meaning = " ".join(text.split())
    return f"| `{path}` | {_type(field.annotation, field.metadata)} | {default} | {' | '.join(values)} | {meaning} |"


def _type(annotation: object, metadata: Iterable[object]) -> str:
    """What a value must be, in words: the form of a text, the bounds of a number."""
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(inside[0], inside[1:])
    if origin in (Union, UnionType):
        return _type(inside[0], metadata)  # `| None` says that it may be left out
    if origin is list:
        return f"list: {_type(inside[0], ())}"
    if origin is dict:
        return f"map: name -> {_type(inside[1], ())}"
    if origin is Literal:
        return "one of " + ", ".join(map(str, inside))
    return _plain(annotation, [fact for each in metadata for fact in (each, *getattr(each, "metadata", ()))])


def _plain(annotation: object, facts: Sequence[object]) -> str:
    forms = [fact for fact in facts if isinstance(fact, Form)]
    if isinstance(annotation, type) and issubclass(annotation, Quantity):
        forms = [annotation.FORM]
    if forms:
        return forms[0].allowed
    if annotation is int:
        bounds = [getattr(fact, side) for side in ("ge", "le") for fact in facts if hasattr(fact, side)]
        return f"number {bounds[0]}..{bounds[1]}"
    return {Environment: "environment", bool: "true or false"}.get(annotation, "text")  # type: ignore[call-overload,no-any-return]


def _tier(environment: Environment, path: str) -> str:
    level: Any = all_defaults(environment)
    for part in path.split("."):
        key = "*" if part == "<name>" else part
        if not isinstance(level, Mapping) or key not in level:
            return ""
        level = level[key]
    return _text(level)


def _text(value: object) -> str:
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)
