"""`cumulet mapping`: what the rules of a mapping make of somebody, before anybody logs in by them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from cumulet.services.identity.federation.mapping import Mapped, Unmapped, mapped, values_of
from cumulet.services.identity.federation.rules import VERSIONS, DomainWords, rules_of

FEDERATED = "Federated"
"""Stands for the domain of the provider, whichever it will be."""


@click.command()
@click.option("--schema", type=click.Choice(VERSIONS), default=VERSIONS[0], show_default=True)
@click.argument("rules", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("attributes", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def mapping(schema: str, rules: Path, attributes: Path) -> None:
    """Show what RULES, a file in JSON, make of ATTRIBUTES, a file with lines like `UserName: jane` or `Groups: a;b`."""
    try:
        given = json.loads(rules.read_text())
        checked = rules_of(given["rules"] if isinstance(given, dict) else given)
    except (KeyError, ValueError) as error:
        raise click.ClickException(f"{rules}: {error}") from error
    try:
        found = mapped(checked, values_of(_lines(attributes)), schema, FEDERATED)
    except Unmapped as reason:
        raise click.ClickException(f"nobody is let in: {reason}") from reason
    click.echo(json.dumps(_shown(found), indent=2))


def _lines(file: Path) -> list[tuple[str, str]]:
    pairs = [line.partition(":") for line in file.read_text().splitlines() if line.strip()]
    return [(name.strip(), text.strip()) for name, colon, text in pairs if colon]


def _shown(found: Mapped) -> dict[str, Any]:
    person = found.person
    user = {"type": person.type, "id": person.id, "name": person.name, "email": person.email}
    return {
        "user": {name: text for name, text in user.items() if text} | {"domain": _domain(person.domain)},
        "group_ids": list(found.group_ids),
        "group_names": [{"name": group.name, "domain": _domain(group.domain)} for group in found.groups],
        "projects": [
            {
                "name": project.name,
                "roles": [{"name": role.name} for role in project.roles],
                "domain": _domain(project.domain),
            }
            for project in found.projects
        ],
    }


def _domain(words: DomainWords | None) -> dict[str, str]:
    return {"id": words.id} if words and words.id else {"name": words.name} if words else {}
