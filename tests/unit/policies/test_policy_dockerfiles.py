"""Dockerfiles: how they are read, and what the rules say of them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from omnibase_policies import check_registrations, evaluate
from omnibase_policies.dockerfiles import instructions_of, stages_of
from omnibase_policies.examples import example

_DIGEST = f"sha256:{'1' * 64}"
_BASE = f"registry.example/base@{_DIGEST}"


def broken(text: str) -> set[str]:
    return {each.rule for each in evaluate([{"kind": "Dockerfile", "text": text}], tier="prod", together=False)}


def test_continuations_comments_flags_and_here_documents_are_read() -> None:
    text = (
        "# syntax\nFROM a AS b\n"
        "RUN --network=none --mount=type=cache,target=/c apt-get install \\\n  # a comment\n\n  one\n"
        'COPY <<EOF /etc/motd\nUSER root\nEOF\nUSER 7\r\nCMD ["a", "b"]\n'
    )
    found = [(each.line, each.name, each.flags) for each in instructions_of(text)]
    assert found == [
        (2, "FROM", ()),
        (3, "RUN", ("--network=none", "--mount=type=cache,target=/c")),
        (7, "COPY", ()),
        (10, "USER", ()),
        (11, "CMD", ()),
    ]
    assert list(instructions_of(text))[-1].exec_form == ["a", "b"]
    assert "one" in list(instructions_of(text))[1].text


def test_arguments_before_the_first_stage_are_put_into_its_base() -> None:
    stages = stages_of(
        "ARG BASE=registry.example/a:1\nARG X\nFROM --platform=$P ${BASE} AS Build\nFROM build\nFROM $X\n"
    )
    assert [(stage.base, stage.name) for stage in stages] == [
        ("registry.example/a:1", "build"),
        ("build", ""),
        ("$X", ""),
    ]


@pytest.mark.parametrize(
    "text", ["", "\n", "FROM", "FROM \\", "\\", "RUN a", "FROM a\nCMD [", "# escape=`\nFROM a`\n", "FROM a AS"]
)
def test_texts_of_any_shape_are_read(text: str) -> None:
    assert isinstance(broken(text), set)


@pytest.mark.req("V2", "C5.9")
@pytest.mark.parametrize(
    ("text", "is_root"),
    [
        (f"FROM {_BASE}\nUSER 65532\n", False),
        (f"FROM {_BASE}\nUSER 65532:65532\n", False),
        (f"FROM {_BASE}\nUSER nobody\n", True),
        (f"FROM {_BASE}\nUSER 0\n", True),
        (f"FROM {_BASE}\nUSER 7\nUSER root\n", True),
        (f"FROM {_BASE} AS base\nUSER 7\nFROM base\nCOPY a /a\n", False),
        (f"FROM {_BASE} AS base\nUSER 7\nFROM scratch\nCOPY --from=base /a /a\n", True),
        (f"FROM {_BASE}\n", True),
    ],
)
def test_the_user_is_that_of_the_last_stage_and_of_what_it_begins_with(text: str, is_root: bool) -> None:
    assert ("df-nonroot-user" in broken(text)) is is_root


@pytest.mark.req("V4")
def test_each_base_needs_a_digest_and_names_of_stages_do_not() -> None:
    assert "df-base-digest-allowlisted" in broken(f"FROM golang:1 AS build\nFROM {_BASE}\nUSER 7\n")
    assert "df-base-digest-allowlisted" not in broken(f"FROM {_BASE} AS build\nFROM build\nUSER 7\n")


@pytest.mark.req("C5.9", "R26")
def test_the_text_of_a_build_of_pulumi_is_judged_like_a_file() -> None:
    inputs = {"dockerfile": {"inline": "FROM golang:1\nENV API_TOKEN=x\n"}, "platforms": ["linux/amd64"], "target": "a"}
    found = check_registrations([{"type": "docker-build:index:Image", "inputs": inputs}], tier="prod")
    said = {each.rule: each.path for each in found}
    assert {"df-nonroot-user", "df-base-digest-allowlisted", "build-no-secret-in-args"} <= set(said)
    assert set(said.values()) == {"dockerfile.inline"}


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("RUN wget --no-check-certificate https://example.org/a", "df-tls-verification"),
        ("RUN pip install --trusted-host a b", "df-tls-verification"),
        ("ENV NODE_TLS_REJECT_UNAUTHORIZED=0", "df-tls-verification"),
        ("RUN apt-get install -y --allow-unauthenticated a", "df-signed-packages"),
        ("ADD --keep-git-dir=true https://github.com/a/b.git /b", "df-no-add-remote"),
        ("ENV API_TOKEN x", "build-no-secret-in-args"),
        ("ARG DATABASE_PASSWORD=x", "build-no-secret-in-args"),
        ("RUN --network=host make", "build-network-not-host"),
        ("RUN sudo make", "df-no-sudo-ssh-chpasswd"),
        ("RUN apt-get install a", "df-package-hygiene"),
        ("WORKDIR app", "df-exec-form-workdir"),
        ("CMD serve", "df-exec-form-workdir"),
        ("COPY / /", "df-minimal-final-stage"),
    ],
)
def test_each_bad_line_is_found_with_its_number(line: str, rule: str) -> None:
    text = f"FROM scratch\nUSER 7\n{line}\n"
    found = [each for each in evaluate([{"kind": "Dockerfile", "text": text}], tier="prod") if each.rule == rule]
    assert [each.message.partition(":")[0] for each in found] == ["line 3"]
    assert rule not in broken(
        "FROM scratch\nUSER 7\nADD --checksum=sha256:1 https://example.org/a /a\nRUN curl -fsSL a\n"
    )


IMAGES = Path(__file__).resolve().parents[3] / "images"
_BASES = {"debian": {"df-nonroot-user"}}
"""Images that others begin with and no pod runs, and what is left to those."""


@pytest.mark.req("C5.9", "R26", "V2", "V4")
@pytest.mark.parametrize("file", sorted(IMAGES.glob("*/Dockerfile")), ids=lambda file: file.parent.name)
def test_images_of_ours_obey_the_rules(file: Path) -> None:
    assert broken(file.read_text(encoding="utf-8")) == _BASES.get(file.parent.name, set())


@pytest.mark.parametrize(
    "piece",
    [
        "RUN curl -a apt-get install ", "FROM a AS a\n", "RUN ${a-", "ENV a=http://a.a@", "RUN -k curl -kkkkkkkkkkkk;",
        "FROM ${a-", "RUN \\\n", "COPY <<a\n", "ARG a=1\n",
    ],
)  # fmt: skip
def test_a_long_text_is_judged_in_bounded_time(piece: str) -> None:
    before = time.process_time()
    for text in (f"FROM a\n{piece}" + piece * (200_000 // len(piece)), f"FROM a\nRUN a\nENV b=1 {'-k' * 100_000}"):
        broken(text)
    assert time.process_time() - before < 5


@pytest.mark.parametrize("piece", ["${a-", "a.", "http://a@", "a.a://", "curl "])
def test_a_long_variable_is_judged_in_bounded_time(piece: str) -> None:
    pod = example({"spec.containers.0.env": [{"name": "A", "value": piece * (200_000 // len(piece))}]})
    before = time.process_time()
    evaluate([pod], tier="prod", parameters={"allowed_hosts": ["a.example"]})
    assert time.process_time() - before < 5
