"""The Pod Security Standards as sets of rules, exactly as the admission controller decides them."""

from __future__ import annotations

from omnibase_policies.evaluation import evaluate
from omnibase_policies.model import Finding, State

BASELINE = frozenset(
    {
        "no-privileged", "no-host-pid", "no-host-ipc", "no-host-network", "no-host-path", "no-host-port",
        "no-dangerous-capabilities", "proc-mount-default", "selinux-options-restricted", "safe-sysctls",
        "apparmor-not-unconfined", "no-unconfined-seccomp", "no-windows-host-process", "no-probe-or-lifecycle-host",
    }
)  # fmt: skip
"""Rules of the baseline standard."""

RESTRICTED = frozenset(
    (BASELINE - {"no-dangerous-capabilities", "no-unconfined-seccomp"})
    | {
        "volume-types-allowlist", "no-privilege-escalation", "run-as-non-root", "no-run-as-uid-0",
        "drop-all-capabilities", "no-added-capabilities", "seccomp-runtime-default",
    }
)  # fmt: skip
"""Rules of the restricted standard, which replaces two of the baseline's by stricter ones."""

PROFILES = {"baseline": BASELINE, "restricted": RESTRICTED}


def pod_security(objects: list[object], *, profile: str, version: str = "latest") -> list[Finding]:
    """Violations of a Pod Security Standard; none if and only if the admission controller would let the pods in.

    Args:
        objects: manifests.
        profile: `baseline` or `restricted`.
        version: version of the standard, for example "1.34".
    """
    found = evaluate(objects, tier="prod", parameters={"pss_profile": profile, "pss_version": version})
    return [each for each in found if each.rule in PROFILES[profile] and each.state is State.VIOLATED]
