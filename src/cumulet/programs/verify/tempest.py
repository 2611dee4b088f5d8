"""Runs Tempest: its virtual environment, its workspace, and the suites one after the other."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cumulet.programs.locks import turn
from cumulet.programs.verify.verdicts import Record

HERE = Path(__file__).parent
LOCK = HERE / "requirements.lock"
PREPARE_LIMIT = 300
INSTALL_LIMIT = 900
LIST_LIMIT = 120
STOP_LIMIT = 3.0
FEWEST_TESTS = 100


class TempestFailed(Exception):
    """Tempest itself, not a test, came to a bad end."""


class CloudOutOfReach(Exception):
    """No answer, or no login: there is nothing to judge."""


class Offer(msgspec.Struct, frozen=True):
    """What the cloud was found to offer, and what went wrong in finding out."""

    services: list[str]
    problems: list[str]


@dataclass(frozen=True, slots=True)
class Run:
    records: list[Record]
    seconds: float
    cut_off: bool


NOTHING_RUN = Run(records=[], seconds=0.0, cut_off=False)


class Tempest:
    """A virtual environment with the locked versions, kept in the user's cache from one run to the next."""

    def __init__(self, cache: Path) -> None:
        digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()
        self.folder = cache / f"tempest-{digest[:12]}"
        self.turns = cache / f"tempest-{digest[:12]}.lock"

    @property
    def installed(self) -> bool:
        return self._list_file.is_file()

    def ensure_installed(self) -> None:
        """Installs, unless another process has done so while we waited for our turn."""
        with turn(self.turns):
            if not self.installed:
                self._install()

    def _install(self) -> None:
        """The list of tests is written last: without it, an installation was interrupted and begins anew."""
        shutil.rmtree(self.folder, ignore_errors=True)
        uv = shutil.which("uv")
        make = [uv, "venv", "--quiet", "--python", sys.executable] if uv else [sys.executable, "-m", "venv"]
        _call([*make, str(self.folder)], limit=INSTALL_LIMIT)
        fill = [uv, "pip", "install", "--python", self._python] if uv else [self._python, "-m", "pip", "install"]
        _call([*fill, "--quiet", "--require-hashes", "--requirement", str(LOCK)], limit=INSTALL_LIMIT)
        workspace = self.folder / "workspace"
        self._make_workspace(workspace)
        self._list_file.write_text("\n".join(self.tests_in(workspace)))

    def known_tests(self) -> list[str]:
        """The tests there are, without asking Tempest again."""
        return self._list_file.read_text().splitlines()

    def tests_in(self, workspace: Path) -> list[str]:
        """The tests there are with the settings of a workspace, on which the attributes in their names depend."""
        printed = _call([*self._tempest(workspace, "run"), "--list-tests"], limit=LIST_LIMIT, folder=workspace)
        tests = [
            line.strip() for line in printed.splitlines() if line[:1].isalpha() and "." in line and " " not in line
        ]
        if len(tests) < FEWEST_TESTS:
            raise TempestFailed(f"Tempest listed {len(tests)} tests only:\n{printed[-3000:]}")
        return tests

    def prepare(self, workspace: Path, options: Sequence[str]) -> Offer:
        """Writes the settings for the cloud that openstacksdk finds in the environment or in clouds.yaml."""
        self._make_workspace(workspace)
        command = [self._python, str(HERE / "inside" / "prepare.py"), "--workspace", str(workspace), *options]
        try:
            done = subprocess.run(command, timeout=PREPARE_LIMIT, check=False)
        except subprocess.TimeoutExpired as error:
            raise CloudOutOfReach(f"The cloud could not be prepared within {PREPARE_LIMIT} s.") from error
        if done.returncode != 0:
            raise CloudOutOfReach("The cloud did not answer, or did not let us in.")
        return msgspec.json.decode((workspace / "cloud.json").read_bytes(), type=Offer)

    def run(self, workspace: Path, tests: Sequence[str], folder: Path, *, workers: int, seconds: float) -> Run:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tests.txt").write_text("".join(f"{test}\n" for test in tests))
        command = [*self._tempest(workspace, "run"), "--load-list", str(folder / "tests.txt"), "--subunit"]
        began, cut_off = time.monotonic(), False
        with (folder / "stream").open("wb") as stream, (folder / "stderr.txt").open("wb") as errors:
            process = subprocess.Popen(
                [*command, "--concurrency", str(workers)],
                cwd=workspace,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=errors,
                start_new_session=True,
            )
            try:
                process.wait(max(5.0, seconds))
            except (subprocess.TimeoutExpired, KeyboardInterrupt):
                cut_off = True
                _stop(process)
        return Run(self._collect(workspace, folder / "stream"), time.monotonic() - began, cut_off)

    def _collect(self, workspace: Path, stream: Path) -> list[Record]:
        content = stream.read_bytes()
        if not content:
            # When the runner dies early it prints nothing, but has stored what it had.
            stored = [str(self.folder / "bin" / "stestr"), "last", "--subunit"]
            content = subprocess.run(
                stored, cwd=workspace, env=_environment(), capture_output=True, timeout=LIST_LIMIT, check=False
            ).stdout
        collected = subprocess.run(
            [self._python, str(HERE / "inside" / "collect.py")],
            input=content,
            capture_output=True,
            timeout=LIST_LIMIT,
            check=False,
        )
        return [msgspec.json.decode(line, type=Record) for line in collected.stdout.splitlines()]

    def _make_workspace(self, workspace: Path) -> None:
        if not (workspace / ".stestr.conf").exists():
            _call([*self._tempest(workspace, "init"), str(workspace)], limit=LIST_LIMIT)

    def _tempest(self, workspace: Path, verb: str) -> list[str]:
        known = workspace.parent / f"{workspace.name}.yaml"
        return [str(self.folder / "bin" / "tempest"), verb, "--workspace-path", str(known)]

    @property
    def _python(self) -> str:
        return str(self.folder / "bin" / "python")

    @property
    def _list_file(self) -> Path:
        return self.folder / "tests.txt"


def _environment() -> dict[str, str]:
    """Tempest reads its file only: no OS_… of the user may lead it elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    return {**kept, "PYTHONWARNINGS": "ignore", "PYTHONHASHSEED": "0"}


def _call(command: Sequence[str], *, limit: float, folder: Path | None = None) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=limit,
        check=False,
    )
    if done.returncode != 0:
        raise TempestFailed(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout


def _stop(process: subprocess.Popen[bytes]) -> None:
    """The runner and its workers: they are a process group of their own."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(STOP_LIMIT)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
    process.wait()
