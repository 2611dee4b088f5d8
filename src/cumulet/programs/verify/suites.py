"""What the names of suites stand for: pure functions over the names of Tempest's tests.

A test is named like `tempest.api.compute.test_x.Class.test_y[id-…,smoke]`: what stands in brackets are its attributes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

LISTS = Path(__file__).parent / "interop"

# Tempest's own suites, and the services (as Tempest calls them) without which their tests cannot begin.
SERVICES = {
    "identity": (),
    "image": ("glance",),
    "compute": ("nova",),
    "network": ("neutron",),
    "volume": ("cinder",),
    "object_storage": ("swift",),
}
SCENARIO = ("nova", "glance", "neutron")


@dataclass(frozen=True, slots=True)
class Plugin:
    package: str
    needs: tuple[str, ...] = ()


PLUGINS = {
    "keystone": Plugin("keystone_tempest_plugin"),
    "glance": Plugin("glance_tempest_plugin", ("glance",)),
    "cinder": Plugin("cinder_tempest_plugin", ("cinder",)),
    "neutron": Plugin("neutron_tempest_plugin", ("neutron",)),
    "heat": Plugin("heat_tempest_plugin", ("heat",)),
    "designate": Plugin("designate_tempest_plugin", ("designate",)),
}
GROUPS = {
    "interop": ("interop-compute", "interop-platform"),
    "everything": (*SERVICES, "scenario", *(f"plugin:{name}" for name in PLUGINS)),
}
"""Words for several suites: what "OpenStack Powered" asks of a cloud; and all that anybody has written."""
_NEEDS_OF_PACKAGE = {plugin.package: plugin.needs for plugin in PLUGINS.values()}
_IDENTIFIER = re.compile(r"id-[0-9a-fA-F-]{36}")


class UnknownSuite(Exception):
    """No suite, plugin or file has that name."""


@dataclass(frozen=True, slots=True)
class Selection:
    tests: list[str]
    unknown: list[str]  # asked for by name, but not among the tests that are installed


def names() -> list[str]:
    """Every suite that has a name of its own."""
    interop = sorted(f"interop-{path.stem}" for path in LISTS.glob("*.txt"))
    smoke = [f"smoke:{service}" for service in SERVICES]
    plugins = [f"plugin:{name}" for name in PLUGINS]
    return [*SERVICES, "scenario", "smoke", *smoke, *interop, *plugins]


def spread(chosen: Iterable[str]) -> list[str]:
    """The suites, with the members of a group in its place; each once."""
    return list(dict.fromkeys(member for name in chosen for member in GROUPS.get(name, (name,))))


def select(suite: str, tests: Sequence[str]) -> Selection:
    """The tests of a suite: a name, `plugin:NAME/sub/tree`, `@FILE` with names, or a regular expression."""
    kind, _, rest = suite.partition(":")
    if suite in SERVICES:
        return _matching(_api(suite), tests)
    if suite == "scenario":
        return _matching(r"^tempest\.(serial_tests\.)?scenario\.", tests)
    if kind == "smoke":
        return _matching(_api(rest) if rest else "", [test for test in tests if "smoke" in attributes(test)])
    if suite.startswith("interop-"):
        return _named(LISTS / f"{suite.removeprefix('interop-')}.txt", tests)
    if suite.startswith("@"):
        return _named(Path(suite[1:]), tests)
    if kind == "plugin":
        return _matching(_plugin(rest), tests)
    return _matching(suite, tests)


def bare(test: str) -> str:
    """The name without its attributes."""
    return re.sub(r"\[.*?\](?=\(|$)", "", test).strip()


def attributes(test: str) -> frozenset[str]:
    found = re.search(r"\[(.*?)\](?=\(|$)", test)
    return frozenset(found[1].split(",")) if found else frozenset()


def absent_services(test: str, offered: Iterable[str]) -> list[str]:
    """The services that a test needs and the cloud does not have."""
    package, *path = bare(test).split(".")
    needs = _NEEDS_OF_PACKAGE.get(package, ())
    if package == "tempest":
        path = path[1:] if path[0] == "serial_tests" else path
        if path[0] == "api":
            needs = SERVICES.get(path[1], ())
        elif path[0] == "scenario":
            needs = ("swift",) if "test_object_storage" in test else SCENARIO
    offers = set(offered)
    return [service for service in needs if service not in offers]


def group_of(test: str) -> str:
    """The part of a suite that a test is counted with: its service and noun."""
    package, *path = [part for part in bare(test).split(".") if part not in ("serial_tests", "tests")]
    folders = []
    for part in path:
        if part.startswith("test_") or part[:1].isupper():
            break
        folders.append(part)
    return ".".join([package, *folders[:3]])


def _api(service: str) -> str:
    if service not in SERVICES:
        raise UnknownSuite(f"Tempest has no tests of its own for {service}. It has them for: {', '.join(SERVICES)}.")
    return rf"^tempest\.(serial_tests\.)?api\.{service}\."


def _plugin(path: str) -> str:
    name, _, tree = path.partition("/")
    if name not in PLUGINS:
        raise UnknownSuite(f"There is no plugin {name}. There are: {', '.join(PLUGINS)}.")
    return rf"^{PLUGINS[name].package}\.{re.escape(tree.replace('/', '.'))}"


def _matching(pattern: str, tests: Sequence[str]) -> Selection:
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise UnknownSuite(f"{pattern} is neither a suite nor a regular expression: {error}.") from error
    return Selection([test for test in tests if wanted.search(test)], [])


def _named(file: Path, tests: Sequence[str]) -> Selection:
    """By name, or by identifier: that stays when a test is renamed."""
    if not file.is_file():
        raise UnknownSuite(f"There is no list {file}.")
    by_name = {bare(test): test for test in tests}
    by_identifier = {found: test for test in reversed(tests) for found in _IDENTIFIER.findall(test)}
    selected, unknown = set(), []
    for line in file.read_text().splitlines():
        wanted = line.split("\t")[0].strip()
        if not wanted or wanted.startswith("#"):
            continue
        identifiers = (by_identifier[found] for found in _IDENTIFIER.findall(wanted) if found in by_identifier)
        test = by_name.get(bare(wanted)) or next(identifiers, None)
        if test is None:
            unknown.append(bare(wanted))
        else:
            selected.add(test)
    return Selection(sorted(selected), unknown)
