"""How images are built: Dockerfiles, and the builds of Pulumi's Docker providers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from omnibase_policies.checks import if_set, must_not_be_true
from omnibase_policies.credentials import is_credential, names_credential
from omnibase_policies.dockerfiles import Instruction, Stage, stages_of
from omnibase_policies.images import lies_in, reference
from omnibase_policies.model import REMOVED, Level, Problem, Severity, missing, resource_rule, undecided, violated
from omnibase_policies.objects import Object
from omnibase_policies.parameters import Parameters
from omnibase_policies.values import View

_BUILD, _IMAGE, _FILE = "DockerBuildImage", "DockerImage", "Dockerfile"
_ARGUMENTS: Mapping[str, tuple[str, ...]] = {_BUILD: ("buildArgs",), _IMAGE: ("build", "args")}
_DIGEST = f"sha256:{'6' * 64}"
_GOOD = f"FROM registry.example/base@{_DIGEST} AS build\nFROM scratch\nCOPY --from=build /app /app\nUSER 65532\n"
_LAST = "FROM scratch\nCOPY app /app\nUSER 65532\n"


def _text(found: Object) -> View | None:
    """The Dockerfile of an object, if it holds one and not only the path of one."""
    if found.kind == _FILE:
        return found.view["text"]
    inline = found.view.at("dockerfile", "inline")
    return inline if found.kind == _BUILD and not inline.is_absent else None


def _stages(found: Object, message: str) -> Iterator[Stage | Problem]:
    """The stages of an object's Dockerfile, or that it is not known yet."""
    text = _text(found)
    if text is not None and text.is_unknown:
        yield undecided(text, message)
    elif text is not None:
        yield from stages_of(text.text())


def _said(found: Object, line: int, message: str) -> Problem:
    text = _text(found)
    return violated(text if text is not None else found.view, f"line {line}: {message}")


def _each(found: Object, bad: Callable[[Instruction], bool], message: str) -> Iterator[Problem]:
    """A problem for each instruction of any stage that is bad."""
    for stage in _stages(found, message):
        if isinstance(stage, Problem):
            yield stage
            continue
        yield from (_said(found, each.line, message) for each in stage.instructions if bad(each))


@resource_rule(
    "build-no-secret-in-args",
    "No credential is an argument or a variable of a build",
    severity=Severity.CRITICAL,
    frameworks=("Trivy DS-0031", "hadolint DL3064", "CIS Docker 4.10"),
    rationale="Arguments and variables stay in the image's history and in its provenance, for whoever pulls it.",
    remedy="Use `secrets` of the build and `RUN --mount=type=secret`.",
    bad={"kind": _FILE, "text": f"FROM registry.example/base@{_DIGEST} AS build\nARG NPM_TOKEN\n{_LAST}"},
    good={"kind": _FILE, "text": f"FROM registry.example/base@{_DIGEST} AS build\nARG VERSION=1\n{_LAST}"},
)
def build_no_secret_in_args(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No build argument, ARG or ENV has the name of a credential, or a value of its form, marked as a secret or not."""
    message = "must not be a credential"
    arguments = found.view.at(*_ARGUMENTS[found.kind]) if found.kind in _ARGUMENTS else None
    for name, value in arguments.fields() if arguments is not None else ():
        if names_credential(name) or is_credential(value.text()):
            yield violated(value, message)
    yield from _each(found, _sets_credential, "must not set a credential")


def _sets_credential(each: Instruction) -> bool:
    if each.name not in ("ARG", "ENV"):
        return False
    first, _, rest = each.text.partition(" ")
    pairs = [word.partition("=") for word in each.words] if "=" in first or each.name == "ARG" else [(first, "=", rest)]
    return any(names_credential(name) or is_credential(value) for name, _, value in pairs)


@resource_rule(
    "build-network-not-host",
    "Builds have no part in the host's network",
    severity=Severity.HIGH,
    rationale="In the host's network a build step reaches what listens on the builder for itself only.",
    remedy="Remove `network`, and `--network=host` from RUN.",
    right=REMOVED,
    bad={"kind": _BUILD, "network": "host"},
    good={"kind": _BUILD, "network": "none"},
)
def build_network_not_host(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`network` is not host, and no RUN asks for it."""
    message = "must not be host"
    if found.kind in (_BUILD, _IMAGE):
        network = found.view["network"] if found.kind == _BUILD else found.view.at("build", "network")
        yield from if_set(network, lambda value: value != "host", message)
    for problem in _each(found, lambda each: "--network=host" in each.flags, "must not use the host's network"):
        yield Problem(problem.path, problem.message, problem.state)  # a text is not put right


@resource_rule(
    "build-registry-not-insecure",
    "Images are pushed over TLS",
    severity=Severity.HIGH,
    rationale="Whoever stands between builder and registry can put another image in the place of this one.",
    remedy="Remove `insecure`, and give the registry a certificate.",
    bad={"kind": _BUILD, "exports": [{"registry": {"insecure": True}}]},
    good={"kind": _BUILD, "exports": [{"registry": {"insecure": False}}]},
)
def build_registry_not_insecure(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No export is `insecure`, and no registry has an address with http://."""
    if found.kind == _BUILD:
        for export in found.view["exports"].items():
            for place in ("registry", "image"):
                yield from must_not_be_true(export.at(place, "insecure"), "must be false or not set")
    addresses = [each["address"] for each in found.view["registries"].items()]
    addresses += [found.view.at("registry", "server")] if found.kind == _IMAGE else []
    for address in addresses if found.kind in (_BUILD, _IMAGE) else ():
        if address.text().startswith("http://"):
            yield violated(address, "must not begin with http://")


@resource_rule(
    "build-platforms-and-target-set",
    "A build says for which platforms it is, and which stage it is about",
    severity=Severity.MEDIUM,
    rationale="Without platforms it is for the machine that builds; without a target a stage for tests may ship.",
    remedy="Set `platforms`, and `target` to the name of the final stage.",
    bad={"kind": _BUILD, "platforms": None},
    good={"kind": _BUILD, "platforms": ["linux/amd64", "linux/arm64"]},
)
def build_platforms_and_target_set(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`platforms` has entries and `target` is set."""
    if found.kind != _BUILD:
        return
    for name, empty in (("platforms", []), ("target", "")):
        field = found.view[name]
        if field.is_unknown:
            yield undecided(field, "must be set")
        elif field.is_absent or field.value == empty:
            yield missing(field, "must be set")


@resource_rule(
    "df-nonroot-user",
    "The image runs as a user by number, and not as root",
    severity=Severity.HIGH,
    frameworks=("CIS Docker 4.1", "checkov CKV_DOCKER_3, 8", "hadolint DL3002, DL3066", "Trivy DS-0002"),
    rationale="Without USER a container is root; a name cannot be told from root's by `runAsNonRoot`.",
    remedy="End the last stage with `USER 65532:65532`.",
    bad={"kind": _FILE, "text": _GOOD.replace("USER 65532\n", "")},
    good={"kind": _FILE, "text": _GOOD},
)
def df_nonroot_user(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """The last USER of the last stage, or of the stage that it begins with, is a number other than 0."""
    message = "must end with a USER by number other than 0"
    stages = list(_stages(found, message))
    if any(isinstance(stage, Problem) for stage in stages):
        yield from (stage for stage in stages if isinstance(stage, Problem))
        return
    chain = _chain([stage for stage in stages if isinstance(stage, Stage)])
    users = [each for stage in chain for each in stage.of("USER")]
    if chain and not (users and re.fullmatch(r"[1-9]\d*(:\d+)?", users[-1].text)):
        yield _said(found, users[-1].line if users else chain[-1].line, message)


def _chain(stages: list[Stage]) -> list[Stage]:
    """The last stage, after the stages that it begins with."""
    named: dict[str, int] = {}
    begins: list[int | None] = []
    for place, stage in enumerate(stages):
        begins.append(named.get(stage.base.lower()))
        if stage.name:
            named[stage.name] = place
    chain: list[Stage] = []
    at = len(stages) - 1 if stages else None
    while at is not None:
        chain.append(stages[at])
        at = begins[at]
    return chain[::-1]


def _bases(stages: list[Stage]) -> Iterator[Stage]:
    """Stages that begin with an image, and not with nothing or with an earlier stage."""
    names: set[str] = set()
    for stage in stages:
        if stage.base != "scratch" and stage.base.lower() not in names:
            yield stage
        names.add(stage.name)


@resource_rule(
    "df-base-digest-allowlisted",
    "Images begin with one that is named by digest, of a registry of ours",
    severity=Severity.HIGH,
    frameworks=("CIS Docker 4.2", "checkov CKV_DOCKER_7", "hadolint DL3006, DL3007, DL3026", "Trivy DS-0001"),
    rationale="A tag is another base tomorrow: the same Dockerfile makes another image, and nobody sees why.",
    remedy="Write `FROM name:tag@sha256:<digest>`, from a registry of allowed_registries.",
    bad={"kind": _FILE, "text": _GOOD.replace(f"@{_DIGEST}", ":3")},
    good={"kind": _FILE, "text": _GOOD},
)
def df_base_digest_allowlisted(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """Every FROM of an image has a digest and lies in one of `allowed_registries`, if there are any."""
    message = "must begin with an image by digest, of an allowed registry"
    stages = list(_stages(found, message))
    yield from (stage for stage in stages if isinstance(stage, Problem))
    places = parameters.allowed_registries
    for stage in _bases([stage for stage in stages if isinstance(stage, Stage)]):
        if "$" in stage.base:
            continue  # an argument without a default: the build says which
        if not reference(stage.base).is_pinned or (places and not lies_in(stage.base, places)):
            yield _said(found, stage.line, message)


@resource_rule(
    "df-minimal-final-stage",
    "The image holds the program, and not what built it",
    severity=Severity.MEDIUM,
    frameworks=("CIS Docker 4.3", "hadolint DL3067"),
    rationale="A shell, a package manager and a compiler are the tools of whoever breaks in.",
    remedy="Build in one stage, and copy the program into a last one from scratch or a base of minimal_bases.",
    bad={"kind": _FILE, "text": _GOOD.replace("FROM scratch", f"FROM registry.example/debian@{_DIGEST}")},
    good={"kind": _FILE, "text": _GOOD.replace("FROM scratch", f"FROM registry.example/distroless/base@{_DIGEST}")},
)
def df_minimal_final_stage(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """The last stage begins with scratch or one of `minimal_bases`, and no COPY takes a whole file system."""
    message = "must begin with scratch or a minimal base"
    stages = list(_stages(found, message))
    yield from (stage for stage in stages if isinstance(stage, Problem))
    chain = _chain([stage for stage in stages if isinstance(stage, Stage)])
    if chain and "$" not in chain[0].base and not _is_minimal(chain[0].base, parameters):
        yield _said(found, chain[-1].line, message)
    for copy in chain[-1].of("COPY") if chain else ():
        if copy.words[:1] == ["/"] and copy.words[-1:] == ["/"]:
            yield _said(found, copy.line, "must not copy a whole file system")


def _is_minimal(base: str, parameters: Parameters) -> bool:
    return base == "scratch" or any(each in reference(base).place for each in parameters.minimal_bases)


@resource_rule(
    "df-no-add-remote",
    "Nothing is fetched by ADD",
    severity=Severity.HIGH,
    frameworks=("CIS Docker 4.9", "checkov CKV_DOCKER_4", "hadolint DL3020", "Trivy DS-0005"),
    rationale="What an address serves tomorrow, nobody has seen; ADD also unpacks whatever it finds.",
    remedy="Fetch it in a stage with a checksum (`ADD --checksum`, or RUN with sha256sum), and COPY files.",
    bad={"kind": _FILE, "text": _GOOD.replace("COPY --from=build /app", "ADD https://example.org/app")},
    good={"kind": _FILE, "text": _GOOD},
)
def df_no_add_remote(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No ADD has an address without a checksum."""
    remote = re.compile(r"(^|\s|\")(https?|ftp|git)(://|@)")
    yield from _each(found, lambda each: each.name == "ADD" and _is_remote(each, remote), "must not fetch by ADD")


def _is_remote(each: Instruction, remote: re.Pattern[str]) -> bool:
    return bool(remote.search(each.text)) and not any(flag.startswith("--checksum=") for flag in each.flags)


_UNVERIFIED = re.compile(
    r"--trusted-host"
    r"|strict-ssl[ =][\"' ]{0,3}false|NODE_TLS_REJECT_UNAUTHORIZED[ =][\"']?0|PYTHONHTTPSVERIFY[ =][\"']?0"
    r"|GIT_SSL_NO_VERIFY|http\.sslverify[ =][\"' ]{0,3}(false|0)|sslverify=(false|0)|Verify-Peer=false"
    r"|ssl_verify[ =]{1,3}false",
    re.IGNORECASE,
)
_CURL = re.compile(r"--insecure|-[a-zA-Z]*k[a-zA-Z]*")


def _commands(text: str) -> Iterator[list[str]]:
    """The words of each command of a shell's line."""
    for command in re.split(r"[&|;\n]+", text):
        yield command.split()


def _trusts_anybody(text: str) -> bool:
    for words in _commands(text):
        if ("curl" in words and any(_CURL.fullmatch(word) for word in words)) or (
            "wget" in words and "--no-check-certificate" in words
        ):
            return True
    return _UNVERIFIED.search(text) is not None


_UNSIGNED = re.compile(
    r"--allow-unauthenticated|--force-yes|--allow-untrusted|--nogpgcheck|--no-gpg-checks?|--nosignature|--nodigest"
    r"|gpgcheck=0|\[[^\]]*trusted=yes|AllowInsecureRepositories|--allow-insecure-repositories|--force-missing",
    re.IGNORECASE,
)


@resource_rule(
    "df-tls-verification",
    "Builds verify whom they fetch from",
    severity=Severity.HIGH,
    frameworks=("checkov CKV2_DOCKER_2 to 6, 12 to 16", "CIS Docker 4.11"),
    rationale="Without the check of the certificate the image holds what anybody on the way has put there.",
    remedy="Remove the option; give a certificate authority of your own as a file.",
    bad={"kind": _FILE, "text": _GOOD.replace("FROM scratch", "RUN curl -fsSk https://example.org/a\nFROM scratch")},
    good={"kind": _FILE, "text": _GOOD.replace("FROM scratch", "RUN curl -fsS https://example.org/a\nFROM scratch")},
)
def df_tls_verification(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No RUN, ENV or ARG turns a check of certificates off."""
    names = ("RUN", "ENV", "ARG")
    yield from _each(found, lambda each: each.name in names and _trusts_anybody(each.text), "must verify TLS")


@resource_rule(
    "df-signed-packages",
    "Packages are signed",
    severity=Severity.HIGH,
    frameworks=("checkov CKV2_DOCKER_7 to 11", "CIS Docker 4.11"),
    rationale="An unsigned package is whatever a mirror serves.",
    remedy="Remove the option, and add the archive's key.",
    bad={
        "kind": _FILE,
        "text": _GOOD.replace("FROM scratch", "RUN apk add --allow-untrusted --no-cache a\nFROM scratch"),
    },
    good={"kind": _FILE, "text": _GOOD.replace("FROM scratch", "RUN apk add --no-cache a\nFROM scratch")},
)
def df_signed_packages(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No RUN installs what is not signed."""
    yield from _each(
        found, lambda each: each.name == "RUN" and bool(_UNSIGNED.search(each.text)), "must install signed packages"
    )


@resource_rule(
    "df-package-hygiene",
    "Package managers leave nothing behind, and bring nothing unasked",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=(
        "hadolint DL3008, DL3009, DL3014, DL3015",
        "checkov CKV_DOCKER_5",
        "Trivy DS-0017, 0029",
        "CIS Docker 4.7",
    ),
    rationale="Lists and recommended packages make the image larger and give it holes; a cached list is an old one.",
    remedy="Write update, install with --no-install-recommends, and the removal of the lists as one RUN.",
    bad={"kind": _FILE, "text": _GOOD.replace("FROM scratch", "RUN apt-get update\nFROM scratch")},
    good={"kind": _FILE, "text": _GOOD.replace("FROM scratch", "RUN apk add --no-cache a\nFROM scratch")},
)
def df_package_hygiene(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No update alone; no install with recommended packages, with its lists left, or with a cache."""
    yield from _each(found, lambda each: each.name == "RUN" and _is_untidy(each.text), "should be tidy")


_MANAGERS = frozenset({"apt", "apt-get", "apk", "pip", "pip3"})
_VERBS = frozenset({"update", "install", "add"})


def _is_untidy(text: str) -> bool:
    said = {
        (manager, verb)
        for words in map(set, _commands(text))
        for manager in _MANAGERS & words
        for verb in _VERBS & words
    }
    installs = {("apt", "install"), ("apt-get", "install")} & said
    if {("apt", "update"), ("apt-get", "update")} & said and not installs:
        return True
    cached = "--mount=type=cache" in text or "/var/lib/apt/lists" in text
    if installs and ("--no-install-recommends" not in text or not cached):
        return True
    if ("apk", "add") in said and "--no-cache" not in text and "/var/cache/apk" not in text:
        return True
    return bool({("pip", "install"), ("pip3", "install")} & said) and "--no-cache-dir" not in text and not cached


@resource_rule(
    "df-no-sudo-ssh-chpasswd",
    "No way to another user in an image",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("checkov CKV_DOCKER_1, CKV2_DOCKER_1, 17", "hadolint DL3004", "Trivy DS-0004, 0010"),
    rationale="sudo, an ssh server and passwords are ways in and up that no program needs.",
    remedy="Remove it; choose the user by USER.",
    bad={"kind": _FILE, "text": _GOOD.replace("USER 65532", "EXPOSE 22\nUSER 65532")},
    good={"kind": _FILE, "text": _GOOD.replace("USER 65532", "EXPOSE 8080\nUSER 65532")},
)
def df_no_sudo_ssh_chpasswd(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No RUN uses sudo, chpasswd or an ssh server, and port 22 is not exposed."""
    way = re.compile(r"(^|[\s;&|])(sudo|chpasswd|sshd|openssh-server)(\s|$)")
    port = re.compile(r"(^|\s)22(/tcp)?(\s|$)")
    yield from _each(
        found,
        lambda each: (
            (each.name == "RUN" and bool(way.search(each.text)))
            or (each.name == "EXPOSE" and bool(port.search(each.text)))
        ),
        "should not be there",
    )


@resource_rule(
    "df-exec-form-workdir",
    "The program gets the signals, and paths are whole",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("hadolint DL3000, DL3025, DL4003, DL4004", "checkov CKV_DOCKER_10"),
    rationale="In the shell form a shell gets the signal to stop, and the program is killed after the grace time.",
    remedy='Write `ENTRYPOINT ["/app"]` once, and WORKDIR with a leading slash.',
    bad={"kind": _FILE, "text": _GOOD.replace("USER 65532", "USER 65532\nENTRYPOINT /app serve")},
    good={"kind": _FILE, "text": _GOOD.replace("USER 65532", 'USER 65532\nENTRYPOINT ["/app"]')},
)
def df_exec_form_workdir(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """CMD and ENTRYPOINT are in the exec form and once in a stage; WORKDIR is absolute."""
    for stage in _stages(found, "should be in the exec form"):
        if isinstance(stage, Problem):
            yield stage
            continue
        for name in ("CMD", "ENTRYPOINT"):
            starts = stage.of(name)
            yield from (_said(found, each.line, "should be said once") for each in starts[:-1])
            shell = (each for each in starts if each.exec_form is None)
            yield from (_said(found, each.line, "should be in the exec form") for each in shell)
        for each in stage.of("WORKDIR"):
            if not re.match(r"/|\$|\"/|[A-Za-z]:", each.text):
                yield _said(found, each.line, "should be an absolute path")
