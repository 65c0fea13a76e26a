"""The engine on one stack: the commands of `pulumi` that the project uses, without questions or repairs by hand."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from local.engine.environment import environment
from local.engine.history import prune
from local.engine.installation import installation
from local.engine.locks import MARK, end_orphans, stack_locks
from local.engine.pending import has_pending, repair
from local.engine.plugins import plugins
from local.engine.process import Finished, stream, to_stdout
from local.engine.stackfile import asks_for_existing_cluster, engine_project, engine_stack_file
from local.errors import InputError, LocalError, LockedError
from local.paths import Paths
from local.plugins.kubernetes.overrides import PODS_END_BESIDE
from local.stack import read_mapping
from local.steps import write_atomically

INTERRUPTED = 130
"""Exit code of a command that was stopped by Ctrl-C, as a shell reports it."""

CHANGES_FOUND = 7
"""Exit code of the engine after `--expect-no-changes` where there are changes."""


class Engine:
    """Runs `pulumi` on one stack of the checkout.

    Args:
        paths: the instance whose home, backend and passphrase are used.
        stack: name of a Pulumi.<stack>.yaml in the checkout.
        write: receives every line of output; default standard output.
        policy_packs: directories of policy packs that preview and up obey.
        policy_configs: a file of levels for each pack, in the same order; default none, the packs' own levels.

    Every method may raise InputError (unknown stack, broken stack file, wrong passphrase), LockedError (another engine
    works on the stack) and MachineError (the engine was not built).
    """

    def __init__(
        self,
        paths: Paths,
        stack: str,
        *,
        write: Callable[[str], object] = to_stdout,
        policy_packs: Sequence[Path] = (),
        policy_configs: Sequence[Path] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.paths, self.stack = paths, stack
        self.policy_packs, self.policy_configs = tuple(policy_packs), tuple(policy_configs)
        self._write = write
        self._file = engine_stack_file(paths, stack)
        self._directory, self.project = engine_project(paths)
        self.installation = installation(paths, os.environ if env is None else env)
        self.env = _environment(paths, os.environ if env is None else env, asks_for_existing_cluster(self._file))

    # -- what an operator asks for ---------------------------------------------------------------------------------

    def preview(self, *arguments: str) -> int:
        """Show what `up` would do. Returns as `up` does, and 7 for changes under `--expect-no-changes`."""
        self.select_or_create()
        return self._program("preview", *self._policies(), *arguments)

    def up(self, *arguments: str) -> int:
        """Make the stack what the program says, going on where a killed engine stopped.

        Returns:
            0, or 130 after Ctrl-C, or another code of the engine after an error or a violated mandatory policy.
        """
        self.select_or_create()
        self.recover()
        self._announce()
        return self._update("up", *self._policies(), *arguments)

    def refresh(self, *arguments: str) -> int:
        """Record what is really there and show what drifted. Returns as `up` does, 7 for `--expect-no-changes`."""
        self.select_or_create()
        self.recover()
        return self._update("refresh", *arguments)

    def destroy(self, *arguments: str, pods_beside: bool = False) -> int:
        """Delete everything of the stack; the stack itself, empty, stays. Returns as `up` does.

        Args:
            arguments: more words for `pulumi destroy`.
            pods_beside: workloads do not wait for their pods, only their namespaces do. The engine deletes layer by
                layer, and would wait in each for pods that take leave of their callers.

        The state is written once, at the end, also after an error or Ctrl-C: written after each deletion, as the engine
        does, it takes most of the time. After a kill it names objects that are gone, and to delete those again is
        nothing to any provider.
        """
        if not self.exists():
            return 0
        self.recover()
        variables = {PODS_END_BESIDE: "true"} if pods_beside else {}
        return self._update("destroy", *arguments, PULUMI_SKIP_CHECKPOINTS="true", **variables)

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs, secret ones in plain text; empty before the first `up`."""
        if not self.exists():
            return {}
        return self._json("stack", "output", "--json", "--show-secrets")

    def export(self) -> dict[str, Any]:
        """The stack's state with secrets encrypted: {"version": 3, "deployment": {...}}."""
        return self._json("stack", "export")

    def cancel(self) -> int:
        """Give back the stack's locks, whoever holds them. Returns 0, or the engine's code."""
        return self._plain("cancel", "--yes", "--stack", self.stack)

    def encrypt(self, key: str, value: str) -> Mapping[str, Any]:
        """Set a secret of the stack's configuration, in the engine's copy of the stack file alone.

        Args:
            key: such as `omnibase-infra:monitoring.receiver.secret_url`.
            value: reaches the engine by its standard input; no argument and no message of ours holds it.

        Returns:
            The copy's content, with the encrypted value and the salt that it was encrypted under.
        """
        self.select_or_create()
        before = self._file.read_text(encoding="utf-8")
        arguments = [
            "config",
            "set",
            "--secret",
            "--path",
            key,
            "--stack",
            self.stack,
            "--config-file",
            str(self._file),
        ]
        result = self._run(arguments, self._directory, value)
        if result.returncode != 0:
            self._explain(result.stderr)
            raise LocalError(f"the engine cannot encrypt {key}", hint="look at `pulumi config --stack` by hand")
        content = read_mapping(self._file)
        write_atomically(self._file, before, mode=0o600)
        return content

    # -- keeping the stack usable ----------------------------------------------------------------------------------

    def exists(self) -> bool:
        """Whether the stack was created."""
        stacks = self.paths.pulumi_backend / ".pulumi" / "stacks" / self.project
        return any((stacks / f"{self.stack}{end}").exists() for end in (".json", ".json.gz", ".json.zst"))

    def select_or_create(self) -> None:
        """Create the stack at its first use. Its salt goes into the engine's copy of the stack file."""
        if self.exists():
            return
        code = self._plain("stack", "init", self.stack, "--no-select", "--non-interactive")
        if code != 0 and not self.exists():
            raise LocalError(f"the engine could not create the stack {self.stack!r}", hint="its message is above")

    def recover(self) -> list[str]:
        """Take over from an engine that was killed: its locks, its leftover processes, its unfinished creations.

        Returns:
            URNs of unfinished creations that were adopted, to see in a log.

        Raises:
            LockedError: the engine is alive.
            LocalError: the repaired state was refused, or the cluster did not answer; the next run tries again.
        """
        locks = stack_locks(self.paths, self.project, self.stack)
        held = next((lock for lock in locks if lock.held), None)
        if held is not None:
            raise LockedError(
                f"stack {self.stack!r} is locked by pulumi, process {held.pid} on {held.host}, since {held.since}",
                hint=f"wait for it to end, or stop it with `kill -INT {held.pid}`",
            )
        if locks:
            self._remove_torn()
            ended = end_orphans(self.paths)
            left = f" and ended {len(ended)} processes that it left" if ended else ""
            self._say(f"the last engine on {self.stack} was killed: took its lock back{left}")
            self.cancel()
        return self._settle_pending()

    def _remove_torn(self) -> None:
        """Remove what a killed engine had only half written beside the state.

        The state itself is renamed into place. A broken file of attributes, as engines wrote them until `metadata=skip`
        (environment.py), keeps every later engine from loading it.
        """
        directory = self.paths.pulumi_backend / ".pulumi" / "stacks" / self.project
        for file in (*directory.glob(f"{self.stack}.json*.tmp"), *directory.glob(f"{self.stack}.json*.attrs")):
            file.unlink(missing_ok=True)

    def _settle_pending(self) -> list[str]:
        adopted = self._unseen()
        if '"pending_operations"' in self._state_text():  # else, as usual, without a start of the engine
            state = self.export()
            if has_pending(state.get("deployment") or {}):
                repaired = repair(state["deployment"])
                for urn in repaired.forgotten:
                    self._say(f"its creation was cut short and is done again, look for a duplicate: {urn}")
                adopted = sorted({*adopted, *repaired.adopted})
                # Before the state: killed between the two, we would take objects for existing that nobody has seen.
                write_atomically(self._unseen_file, json.dumps(adopted))
                self._replace_state({**state, "deployment": repaired.deployment})
        if adopted:
            self._find(adopted)
        self._unseen_file.unlink(missing_ok=True)
        return adopted

    @property
    def _unseen_file(self) -> Path:
        return self._directory / f"{self.stack}.adopted.json"

    def _unseen(self) -> list[str]:
        """Adopted resources whose objects were not looked for, because we were interrupted or the cluster was away."""
        if not self._unseen_file.exists():
            return []
        return [str(urn) for urn in json.loads(self._unseen_file.read_text())]

    def _find(self, urns: Sequence[str]) -> None:
        """Read the objects of adopted resources; those without an object leave the state."""
        known = {resource["urn"] for resource in self.export()["deployment"].get("resources") or []}
        targets = [urn for urn in urns if urn in known]
        if not targets:
            return
        self._say(f"looking for {len(targets)} objects whose creation was cut short")
        arguments = [word for urn in targets for word in ("--target", urn)]
        if self._update("refresh", *arguments) != 0:
            raise LocalError(
                f"stack {self.stack!r}: the objects of a killed engine could not be looked for",
                hint="the engine's message is above; mend its cause, then the next run looks for them again",
            )

    def _replace_state(self, state: Mapping[str, Any]) -> None:
        result = self._run(["stack", "import", "--stack", self.stack], self._directory, json.dumps(state))
        if result.returncode != 0:
            self._explain(result.stderr)
            raise LocalError(
                f"the engine refuses the state of {self.stack!r} after a kill: {result.stderr.strip()}",
                hint=f"run `pulumi refresh --stack {self.stack}` in a terminal and answer its questions",
            )

    def _state_text(self) -> str:
        file = self.paths.pulumi_backend / ".pulumi" / "stacks" / self.project / f"{self.stack}.json"
        if not file.exists():
            return '"pending_operations"'  # compressed: the engine must be asked
        return file.read_text(encoding="utf-8")

    # -- calling the engine ----------------------------------------------------------------------------------------

    def _policies(self) -> list[str]:
        packs = [word for pack in self.policy_packs for word in ("--policy-pack", str(pack))]
        return packs + [word for file in self.policy_configs for word in ("--policy-pack-config", str(file))]

    def _update(self, command: str, *arguments: str, **variables: str) -> int:
        """Run a command that changes the stack, then remove old traces of such commands, whatever came of it."""
        try:
            return self._program(command, "--yes", "--skip-preview", *arguments, **variables)
        finally:
            try:
                prune(self.paths, self.project, self.stack)
            except OSError as error:  # what the command did counts, and the next one tries again
                self._say(f"records of old updates could not be removed: {error}")

    def _program(self, command: str, *arguments: str, **variables: str) -> int:
        """Run a command that may run the program, in the checkout and with the engine's copy of the stack file."""
        argv = [self._pulumi, command, "--stack", self.stack, "--config-file", str(self._file), "--non-interactive"]
        argv += ["--color", self.env.get("PULUMI_COLOR", "never"), *arguments]
        return self._result(stream(argv, cwd=self.paths.root, env={**self.env, **variables}, write=self._write))

    def _plain(self, *arguments: str) -> int:
        argv = [self._pulumi, *arguments, "--color", "never"]
        return self._result(stream(argv, cwd=self._directory, env=self.env, write=self._write))

    def _json(self, *arguments: str) -> dict[str, Any]:
        result = self._run([*arguments, "--stack", self.stack], self._directory)
        if result.returncode != 0:
            self._explain(result.stderr)
            raise LocalError(
                f"`pulumi {' '.join(arguments)}` failed: {result.stderr.strip()}", hint="run `make status`"
            )
        content = json.loads(result.stdout)
        return content if isinstance(content, dict) else {}

    def _run(self, arguments: Sequence[str], cwd: Path, text: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._pulumi, *arguments, "--non-interactive", "--color", "never"],
            cwd=cwd,
            env=self.env,
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def _pulumi(self) -> str:
        return str(self.installation.pulumi)

    def _result(self, finished: Finished) -> int:
        if finished.code == 0:
            return 0
        if finished.interrupted:
            return INTERRUPTED
        self._explain(finished.output)
        return finished.code

    def _explain(self, output: str) -> None:
        """Raise our own error for the engine's messages whose remedy it cannot know."""
        if "incorrect passphrase" in output:
            raise InputError(
                f"stack {self.stack!r} was made with another passphrase",
                hint=f"set PULUMI_CONFIG_PASSPHRASE to the right one, or unset it to use {self.paths.passphrase_file}",
            )
        if "the stack is currently locked" in output:
            raise LockedError(f"another engine works on the stack {self.stack!r}", hint="wait for it to end")

    def _announce(self) -> None:
        """Say what runs the program and its resources: stand-ins must not pass for the official ones."""
        self._say("; ".join([str(self.installation), *map(str, plugins(self.paths, self.env))]))

    def _say(self, text: str) -> None:
        self._write(f"engine: {text}\n")


def _environment(paths: Paths, env: Mapping[str, str], existing_cluster: bool) -> dict[str, str]:
    result = environment(paths, env)
    result[MARK] = result["PULUMI_HOME"]
    if existing_cluster:  # its context is in the operator's own kubeconfig
        del result["KUBECONFIG"]
        if "KUBECONFIG" in env:
            result["KUBECONFIG"] = env["KUBECONFIG"]
    return result
