"""The command `cumulet verify`: what a user asks for, in which order it is done, and the exit code."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import click

from cumulet.programs.verify import report, suites, tempest, verdicts
from cumulet.programs.verify.verdicts import Result

ALL_GOOD, NOT_GOOD, NOT_JUDGED = 0, 1, 2
PROFILE = Path(__file__).parent / "strict.ini"


def cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cumulet"


@click.command("verify")
@click.option("--suite", "chosen", multiple=True, metavar="NAME", help="May be given several times; see --list-suites.")
@click.option("--list-suites", is_flag=True, help="Print the names of the suites and how many tests they have.")
@click.option("--os-cloud", envvar="OS_CLOUD", help="Entry of clouds.yaml; without it the variables OS_… count.")
@click.option("--image", type=click.Path(exists=True, dir_okay=False), help="What guests boot; else a public image.")
@click.option("--memory", default=128, show_default=True, help="MiB of memory of the test flavors.")
@click.option("--guests/--no-guests", default=True, show_default=True, help="Log in to guests.")
@click.option(
    "--overrides",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False),
    help="Settings of Tempest that win (ini); of several files the last one does.",
)
@click.option("--exclude", metavar="PATTERN", help="Leave out the tests that match.")
@click.option("--sample", type=click.IntRange(1), help="At most so many tests of each suite, evenly spread.")
@click.option("--time-limit", default=3000, show_default=True, help="Seconds for all suites together.")
@click.option("--workers", default=2, show_default=True, help="Tests that run at a time.")
@click.option("--report", "folder", type=click.Path(file_okay=False), help="Where the report goes.")
@click.option("--baseline", type=click.File("rb"), help="An earlier results.json: tell what got worse.")
@click.option("--install-only", is_flag=True, help="Fetch Tempest, for a later run without a network.")
def verify(
    chosen: tuple[str, ...],
    list_suites: bool,
    os_cloud: str | None,
    image: str | None,
    memory: int,
    guests: bool,
    overrides: tuple[str, ...],
    exclude: str | None,
    sample: int | None,
    time_limit: int,
    workers: int,
    folder: str | None,
    baseline: IO[bytes] | None,
    install_only: bool,
) -> None:
    """Judge a running cloud with Tempest, OpenStack's own test suite.

    A suite is one of the names of --list-suites, plugin:NAME/sub/tree, @FILE with names of tests, or a regular
    expression; "interop" stands for what OpenStack Powered asks, "everything" for all suites. The exit code is 0 only
    if no test failed, was missing or was not run; 2 if there was nothing to judge.
    """
    judge = tempest.Tempest(cache_folder())
    try:
        if not judge.installed:
            click.echo("Installing Tempest …", err=True)
            judge.ensure_installed()
        if install_only:
            return
        asked = suites.spread(chosen)
        sizes = {name: len(suites.select(name, judge.known_tests()).tests) for name in asked or suites.names()}
        if list_suites:
            click.echo("\n".join(f"{name:<26} {size:5}" for name, size in sizes.items()))
            return
        if not asked:
            raise click.UsageError("Name at least one --suite.")
        place = Path(folder or f"cumulet-verify-{time.strftime('%Y%m%d-%H%M%S')}").absolute()
        place.mkdir(parents=True, exist_ok=True)
        offer = judge.prepare(place / "workspace", _preparation(os_cloud, image, memory, guests, overrides))
        tests = judge.tests_in(place / "workspace")
    except (suites.UnknownSuite, tempest.TempestFailed, tempest.CloudOutOfReach) as problem:
        click.echo(problem, err=True)
        raise SystemExit(NOT_JUDGED) from problem

    # A run that is stopped still reports what it has seen.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    selections = {name: suites.select(name, tests) for name in asked}
    wanted = {name: _narrow(selection.tests, exclude, sample) for name, selection in selections.items()}
    absent = {test: suites.absent_services(test, offer.services) for tests in wanted.values() for test in tests}
    runnable = [test for test, lacking in absent.items() if not lacking]
    # One run for all suites: to start one costs as much as a dozen tests, and a test may belong to several suites.
    run = tempest.NOTHING_RUN
    if runnable:
        run = judge.run(place / "workspace", runnable, place, workers=workers, seconds=time_limit)
    results: list[Result] = []
    for name, chosen_tests in wanted.items():
        for test in selections[name].unknown:
            click.echo(f"{name}: not among the installed tests: {test}")
        of_suite = [verdicts.missing(name, test, absent[test]) for test in chosen_tests if absent[test]]
        ran = [test for test in chosen_tests if not absent[test]]
        of_suite += verdicts.judge(name, ran, run.records, cut_off=run.cut_off)
        results += of_suite
        click.echo("\n".join(report.suite_lines(name, of_suite)))

    report.write(place, results)
    lines = [*report.reason_lines(results), *(f"problem: {problem}" for problem in offer.problems)]
    if baseline is not None:
        lines += report.worse_lines(results, baseline.read())
    ending = " (time limit)" if run.cut_off else ""
    lines += [f"report: {place}", f"total {report.counted(results)} seconds={run.seconds:.0f}{ending}"]
    click.echo("\n".join(lines))
    raise SystemExit(ALL_GOOD if results and all(map(report.is_good, results)) else NOT_GOOD)


def _preparation(
    os_cloud: str | None, image: str | None, memory: int, guests: bool, overrides: Sequence[str]
) -> list[str]:
    options = ["--memory", str(memory), "--profile", str(PROFILE)]
    named = [("--os-cloud", os_cloud), ("--image", image), *(("--overrides", file) for file in overrides)]
    for name, value in named:
        options += [name, value] if value else []
    return [*options, "--guests"] if guests else options


def _narrow(tests: list[str], exclude: str | None, sample: int | None) -> list[str]:
    if exclude:
        tests = [test for test in tests if not re.search(exclude, test)]
    if sample and len(tests) > sample:
        tests = [tests[index * len(tests) // sample] for index in range(sample)]
    return tests
