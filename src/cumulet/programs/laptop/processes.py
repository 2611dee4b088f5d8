"""The cloud's two processes: started so that they outlive us, found by the locks they hold, ended by their own ids."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import msgspec

from cumulet.programs.locks import holder
from cumulet.programs.settings import CONFIG, Settings, SettingsError, load

STOP_SECONDS = 20.0


class DidNotStart(Exception):
    """A process ended at once or did not answer; the message has the end of its log."""


def lock_of(state: Path, program: str) -> Path:
    return state / "run" / f"{program}.lock"


def log_of(state: Path, program: str) -> Path:
    return state / "log" / f"{program}.log"


def running(state: Path, program: str) -> int | None:
    """The process id of a program of this cloud."""
    return holder(lock_of(state, program))


def start(settings: Settings, program: str, before: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
    """Start `cumulet serve` or `cumulet node` in a session of its own. `before` is put in front of its command."""
    state = settings.state
    log = log_of(state, program)
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CUMULET_")}
    environment["CUMULET_CONFIG"] = str(settings_file(state))
    environment["PATH"] = environment.get("PATH", "") + ":/usr/sbin:/sbin"
    with log.open("ab") as output:
        return subprocess.Popen(
            [*before, sys.executable, "-m", "cumulet", program],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=environment,
            cwd="/",
        )


def stop(state: Path, program: str) -> bool:
    """End a program and wait for its end; whether it ran."""
    pid = running(state, program)
    if pid is None:
        return False
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        with contextlib.suppress(ProcessLookupError):  # it ends by itself just now
            signal.pidfd_send_signal(process, signal.SIGTERM)
            # The lock is free a moment before the process has ended.
            if not select.select([process], [], [], STOP_SECONDS)[0]:
                signal.pidfd_send_signal(process, signal.SIGKILL)
                select.select([process], [], [], STOP_SECONDS)
    finally:
        os.close(process)
    return True


def end_of_log(state: Path, program: str, lines: int = 15) -> str:
    try:
        text = log_of(state, program).read_text(errors="replace")
    except FileNotFoundError:
        return ""
    if not text:
        free = shutil.disk_usage(state).free // 2**20
        return f"(It is empty. {free} MiB of disk are free in {state}.)"
    return "\n".join(text.splitlines()[-lines:])


def settings_file(state: Path) -> Path:
    return state / "cumulet.toml"


def in_force(state: Path | None) -> Settings:
    """The settings that the environment names, else those with which the cloud there was started, if there is one."""
    flags = {"state_dir": str(state.absolute()) if state else None}
    settings = load(flags, os.environ)
    kept = settings_file(settings.state)
    return settings if CONFIG in os.environ or not kept.exists() else load(flags, os.environ, kept)


def of_cloud(state: Path | None) -> Settings:
    """The settings with which the cloud on this machine was started. Raises SettingsError: there is none."""
    settings = load({"state_dir": str(state.absolute()) if state else None}, os.environ)
    kept = settings_file(settings.state)
    if not kept.exists():
        raise SettingsError(f"there is no cloud in {settings.state}; 'cumulet up' makes one")
    return load({}, {}, kept)


def keep(settings: Settings) -> None:
    """Write the settings in force where later commands find them."""
    state = settings.state
    # Machines run as a user of their own, who must be able to go through here to what is theirs, and see nothing else.
    values = {**msgspec.to_builtins(settings), "state_dir": str(state)}
    draft = settings_file(state).with_suffix(".draft")
    try:
        state.mkdir(parents=True, exist_ok=True)
        state.chmod(0o711)
        draft.touch(mode=0o600)  # it holds passwords: nobody else may read it, not even for a moment
        draft.write_text("".join(f"{name} = {_toml(value)}\n" for name, value in values.items()))
        os.replace(draft, settings_file(state))
    except OSError as error:
        raise SettingsError(
            f"the state directory {state} cannot be used: {error.strerror}. Choose another one: --state PATH"
        ) from error


def _toml(value: object) -> str:
    """A setting as TOML writes it: JSON's texts, numbers, booleans and lists are TOML's too; only tables differ."""
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{msgspec.json.encode(key).decode()} = {_toml(one)}" for key, one in value.items()) + "}"
        )
    return msgspec.json.encode(value).decode()
