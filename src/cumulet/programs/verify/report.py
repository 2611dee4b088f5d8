"""How the verdicts are shown: lines for the terminal, and files for looking closer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from cumulet.programs.verify.suites import group_of
from cumulet.programs.verify.verdicts import Result, Verdict

REASONS_SHOWN = 12
_CHANGING = re.compile(r"(req-)?[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}|(?<=-)\d{6,}")
NAMES_SHOWN = 50


def counted(results: Iterable[Result]) -> str:
    count = Counter(result.verdict for result in results)
    return " ".join(f"{verdict}={count[verdict]}" for verdict in Verdict) + f" total={count.total()}"


def suite_lines(suite: str, results: Sequence[Result]) -> list[str]:
    groups: dict[str, list[Result]] = {}
    for result in sorted(results, key=lambda result: result.test):
        groups.setdefault(group_of(result.test), []).append(result)
    lines = [f"  {group:<58} {counted(members)}" for group, members in groups.items()]
    return [*lines, f"suite {suite:<54} {counted(results)}"]


def reason_lines(results: Sequence[Result]) -> list[str]:
    """Why tests failed, were missing or were left out, the most frequent reasons first; ids do not tell them apart."""
    lines = []
    for verdict in (Verdict.FAILED, Verdict.MISSING, Verdict.SKIPPED, Verdict.NOTRUN):
        reasons = Counter(_CHANGING.sub("…", result.why)[:200] for result in results if result.verdict is verdict)
        lines += [f"{verdict} x{count}: {reason}" for reason, count in reasons.most_common(REASONS_SHOWN)]
    return lines


def worse_lines(results: Sequence[Result], earlier: bytes) -> list[str]:
    """What passed in an earlier run (its results.json) and does not now."""
    before = {result.test for result in msgspec.json.decode(earlier, type=list[Result]) if is_good(result)}
    worse = [result.test for result in results if result.test in before and not is_good(result)]
    return [f"worse than before: {len(worse)}", *(f"  {test}" for test in worse[:NAMES_SHOWN])]


def is_good(result: Result) -> bool:
    return result.verdict in (Verdict.PASSED, Verdict.SKIPPED)


def write(folder: Path, results: Sequence[Result]) -> None:
    """results.json for programs; failures.txt, missing.txt, skipped.txt and notrun.txt for people and for `@FILE`."""
    (folder / "results.json").write_bytes(msgspec.json.encode(results))
    for verdict, name in {
        Verdict.FAILED: "failures.txt",
        Verdict.MISSING: "missing.txt",
        Verdict.SKIPPED: "skipped.txt",
        Verdict.NOTRUN: "notrun.txt",
    }.items():
        chosen = [result for result in results if result.verdict is verdict]
        reasons: Mapping[str, int] = Counter(result.why for result in chosen)
        head = [f"# {count}  {reason}" for reason, count in sorted(reasons.items(), key=lambda item: -item[1])]
        _write_lines(folder / name, [*head, *(f"{result.test}\t{result.why}" for result in chosen)])
    tracebacks = [f"{'=' * 100}\n{result.test}\n{result.traceback}" for result in results if result.traceback]
    _write_lines(folder / "tracebacks.txt", tracebacks)


def _write_lines(file: Path, lines: Sequence[str]) -> None:
    file.write_text("".join(f"{line}\n" for line in lines))
