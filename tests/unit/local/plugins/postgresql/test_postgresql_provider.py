"""The postgresql plugin's service without a server: configuration, Check, Diff, previews."""

from __future__ import annotations

import inspect
import json
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import grpc
import pulumi_postgresql as sdk
import pytest
from pulumi.runtime.proto import provider_pb2

from local.engine.plugins import STAND_INS
from local.plugins.common.convert import decode, encode
from local.plugins.common.values import UNKNOWN, Json, Object, Secret
from local.plugins.postgresql import VERSION, settings
from local.plugins.postgresql.provider import PostgresqlProvider
from local.plugins.postgresql.shapes import SHAPES

_ROOT = Path(__file__).resolve().parents[5]


class AbortedError(Exception):
    """What gRPC raises when a call is aborted."""


class Context:
    """The part of a gRPC context that the service uses."""

    def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
        raise AbortedError(f"{code.name}: {details}")


@pytest.fixture
def context() -> Json:  # passes for a gRPC context
    return Context()


def urn(kind: str, name: str = "thing") -> str:
    return f"urn:pulumi:dev::tiny::postgresql:index/{kind[0].lower()}{kind[1:]}:{kind}::{name}"


def provider(context: Json, **values: Json) -> PostgresqlProvider:
    made = PostgresqlProvider()
    made.Configure(provider_pb2.ConfigureRequest(args=encode(values), acceptSecrets=True), context)
    return made


def check(context: Json, kind: str, news: Object) -> provider_pb2.CheckResponse:
    return provider(context).Check(provider_pb2.CheckRequest(urn=urn(kind), news=encode(news)), context)


def diff(context: Json, kind: str, olds: Object, news: Object) -> provider_pb2.DiffResponse:
    request = provider_pb2.DiffRequest(urn=urn(kind), olds=encode(olds), news=encode(news))
    return provider(context).Diff(request, context)


def test_the_version_is_that_of_the_sdk() -> None:
    each = next(each for each in STAND_INS if each.name == "postgresql")
    assert each.version == VERSION


@pytest.mark.parametrize("token", sorted(SHAPES))
def test_tokens_and_fields_are_those_of_the_official_sdk(token: str) -> None:
    resource = getattr(sdk, token.rpartition(":")[2])
    assert resource.pulumi_type == token
    arguments = set(inspect.signature(resource._internal_init).parameters) - {
        "__self__",
        "resource_name",
        "opts",
        "__props__",
    }
    spelled = {re.sub(r"([A-Z])", lambda match: f"_{match[0].lower()}", field) for field in SHAPES[token].fields}
    assert spelled == arguments - {"policies"}  # deprecated, refused with a hint


def test_what_must_be_given_is_what_the_sdk_demands() -> None:
    for token, shape in SHAPES.items():
        resource = getattr(sdk, token.rpartition(":")[2])
        source = inspect.getsource(resource._internal_init)
        demanded = set(re.findall(r"Missing required property '(\w+)'", source))
        required = {
            key for key, field in shape.fields.items() if field.required and not (key == "name" and shape.autonamed)
        }
        assert {re.sub(r"([A-Z])", lambda match: f"_{match[0].lower()}", key) for key in required} == demanded


def test_the_password_is_marked_and_defaults_are_recorded(context: Json) -> None:
    inputs = decode(check(context, "Role", {"name": "app", "login": True, "password": "x"}).inputs)
    assert inputs["password"] == Secret("x")
    assert inputs["validUntil"] == "infinity"
    assert "connectionLimit" in inputs["__defaults"]


def test_deprecated_policies_are_refused_with_what_to_use_instead(context: Json) -> None:
    failures = check(context, "Schema", {"name": "s", "policies": []}).failures
    assert [failure.property for failure in failures] == ["policies"]
    assert "use `postgresql.Grant`" in failures[0].reason


def test_a_type_that_is_not_served_says_which_are(context: Json) -> None:
    with pytest.raises(
        AbortedError, match=r"'postgresql:index/publication:Publication' needs the official .* Database"
    ):
        check(context, "Publication", {})


def test_a_grants_privileges_change_in_place_and_its_role_replaces_it_after_deleting(context: Json) -> None:
    state = {"role": "app", "database": "d", "objectType": "database", "privileges": ["CONNECT", "CREATE"]}
    same = diff(context, "Grant", state, {**state, "privileges": ["CREATE", "CONNECT"]})
    assert same.changes == provider_pb2.DiffResponse.DIFF_NONE
    fewer = diff(context, "Grant", state, {**state, "privileges": ["CONNECT"]})
    assert (list(fewer.replaces), list(fewer.detailedDiff)) == ([], ["privileges"])
    other = diff(context, "Grant", state, {**state, "role": "else"})
    assert list(other.replaces) == ["role"]
    assert other.deleteBeforeReplace


def test_a_preview_asks_no_server(context: Json) -> None:
    made = provider(context, host="203.0.113.1", connectTimeout="1")
    request = provider_pb2.CreateRequest(
        urn=urn("Database"), properties=encode({"name": "d", "connectionLimit": -1}), preview=True
    )
    answer = made.Create(request, context)
    assert answer.id == ""
    assert decode(answer.properties)["owner"] is UNKNOWN


def test_the_driver_is_not_loaded_for_a_preview() -> None:
    program = (
        "from local.plugins.common.server import only_protobufs; only_protobufs()\n"
        "import local.plugins.postgresql.provider, sys\n"
        "print(*(name for name in ('pulumi.resource', 'psycopg') if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=_ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_server_that_does_not_answer_is_named_without_the_password(context: Json) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers, and nobody else can take it
        port = taken.getsockname()[1]
        made = provider(context, host="127.0.0.1", port=str(port), username="me", password="hush", connectTimeout="2")
        request = provider_pb2.ReadRequest(urn=urn("Role"), id="app")
        with pytest.raises(
            AbortedError, match=rf"error connecting to PostgreSQL server 127\.0\.0\.1:{port}"
        ) as refused:
            made.Read(request, context)
    assert "as 'me' with sslmode require" in str(refused.value)
    assert "hush" not in str(refused.value)


def test_a_server_that_is_not_known_yet_is_an_error_only_where_it_is_needed(context: Json) -> None:
    made = provider(context, host=UNKNOWN)
    with pytest.raises(AbortedError, match="the server is not known yet: host"):
        made.Read(provider_pb2.ReadRequest(urn=urn("Role"), id="app"), context)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"sslmode": "prefer"}, "unsupported sslmode 'prefer'; supported: disable, require, verify-ca, verify-full"),
        ({"scheme": "awspostgres"}, "scheme 'awspostgres' needs the official provider"),
        ({"awsRdsIamAuth": "true"}, "IAM authentication needs the official provider"),
        ({"azureIdentityAuth": True}, "Azure identities needs the official provider"),
        ({"port": "many"}, "port='many' is not a whole number"),
        ({"clientcert": json.dumps({"cert": "a", "key": "b", "sslinline": True})}, "inline client certificates"),
    ],
)
def test_settings_that_only_the_official_provider_knows_are_refused(
    context: Json,
    values: Object,
    words: str,
) -> None:
    request = provider_pb2.CheckRequest(urn="urn:pulumi:dev::tiny::pulumi:providers:postgresql::p", news=encode(values))
    failures = PostgresqlProvider().CheckConfig(request, context).failures
    assert any(words in failure.reason for failure in failures), failures


def test_settings_come_from_inputs_then_from_the_variables_of_libpq() -> None:
    env = {"PGHOST": "from-variable", "PGUSER": "someone", "PGSUPERUSER": "false"}
    found = settings.read({"host": "from-input", "port": "6432", "sslmode": "verify-full"}, env)
    assert (found.host, found.port, found.username, found.superuser) == ("from-input", 6432, "someone", False)
    assert settings.read({}, {}).sslmode == "require"
    assert "secret" not in repr(settings.read({"password": "secret"}, {}))


def test_another_server_is_an_update_of_the_provider_and_replaces_nothing(context: Json) -> None:
    request = provider_pb2.DiffRequest(olds=encode({"host": "a", "version": "1"}), news=encode({"host": "b"}))
    answer = PostgresqlProvider().DiffConfig(request, context)
    assert (list(answer.diffs), list(answer.replaces)) == (["host"], [])


def test_functions_need_the_official_provider(context: Json) -> None:
    with pytest.raises(AbortedError, match="needs the official postgresql provider"):
        PostgresqlProvider().Invoke(provider_pb2.InvokeRequest(tok="postgresql:index/getTables:getTables"), context)
