"""The `cumulet` command. Each subcommand loads what it needs when it runs, so that `--help` answers at once."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from cumulet.programs.settings import SettingsError

COMMANDS = {
    "up": ("cumulet.programs.laptop.commands", "Start a cloud on this machine, or show the one that runs."),
    "down": ("cumulet.programs.laptop.commands", "Stop the cloud; its state stays."),
    "status": ("cumulet.programs.laptop.commands", "Show what runs, and how to reach it."),
    "reset": ("cumulet.programs.laptop.commands", "Stop the cloud and delete everything in it."),
    "ssh": ("cumulet.programs.laptop.commands", "Log in to a server, in whatever way works here."),
    "doctor": ("cumulet.programs.doctor.command", "Check every prerequisite and name the remedy."),
    "serve": ("cumulet.programs.serve", "Run the API and the reconcilers in the foreground."),
    "node": (
        "cumulet.programs.node.command",
        "Run the agent of this host in the foreground; with --join, add it to a cloud.",
    ),
    "node-token": ("cumulet.programs.serve", "Issue a token with which one node may join."),
    "migrate": ("cumulet.programs.migrate", "Bring the database to this version's schema."),
    "bootstrap": ("cumulet.programs.bootstrap", "Make what a young cloud has, or what is missing of it."),
    "keys": ("cumulet.programs.keys", "Turn the keys that seal tokens and secrets."),
    "image": ("cumulet.programs.images.command", "Build or download cloud images."),
    "policy": ("cumulet.programs.policy", "List the rules in force, or check a policy file."),
    "mapping": ("cumulet.programs.mapping", "Try what the rules of a mapping make of somebody's attributes."),
    "verify": ("cumulet.programs.verify.command", "Judge a running cloud with Tempest."),
}
"""Name, the module that has it, and one line of help."""


class LazyGroup(click.Group):
    """Finds subcommands in the table above."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name == "version":
            return version
        if name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[name][0])
        command: click.Command = getattr(module, name.replace("-", "_"))
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, text) for name, (_, text) in COMMANDS.items()] + [("version", "Show the version.")]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
def cumulet() -> None:
    """Cumulet, a whole OpenStack cloud in one small program.

    `cumulet up` starts one on this machine and prints what to type next.
    """


@click.command()
def version() -> None:
    """Show the version."""
    from importlib.metadata import version as installed

    click.echo(installed("cumulet"))


def main() -> Any:
    try:
        return cumulet()
    except SettingsError as error:
        click.echo(f"cumulet: {error}", err=True)
        sys.exit(2)
