"""From what Tempest's runner reports to one verdict per test: pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from cumulet.programs.verify.suites import bare


class Verdict(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    MISSING = "missing"
    SKIPPED = "skipped"
    NOTRUN = "notrun"


class Record(msgspec.Struct, frozen=True):
    """What the runner says of one test, or of setting up or tearing down one class."""

    id: str
    status: str
    details: dict[str, str]
    seconds: float | None = None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    suite: str
    test: str
    verdict: Verdict
    why: str = ""
    seconds: float | None = None
    traceback: str = ""


# The test was left out for a reason of its own; every other skip says that the cloud lacks something.
EXCUSES = (
    (r"Skipped (until|because of) bug", "known bug"),
    (
        r"Identity api v2 is not enabled|nova-network is not available|"
        r"Neutron (does not check the security group|allows duplicate names)",
        "an API of the past",
    ),
    (
        r"Instance validation tests are disabled|Validation (should|must) be enabled|"
        r"validation is required for this test",
        "no login to guests was asked for",
    ),
    (r"Less than 2 compute nodes", "needs two hosts"),
    (r"Skipping \S+ test for \w+ user", "the test class leaves it out"),
    (r"External identity provider is not available", "needs an identity provider"),
    (r"no known-for-sure existing network", "the test is about a network that all users share"),
    (
        r"Image format enforcement prevents|does not allow them to be uploaded",
        "the cloud looks into images, and this one would be a fake",
    ),
    (r"No image_remote service", "needs two API processes"),
    (r"does not currently reject unusable images", "the test takes what is usable only"),
    (r"Serial console not supported", "the test puts text where its own socket takes bytes"),
    (r"do_secure_hash is (enabled|disabled)", "the test is about a cloud that is set otherwise"),
    (r"Legacy quota .* with unified limits", "the test is about a cloud that is set otherwise"),
)

# It ran and failed. That others saw it fail too is no excuse.
UNSTABLE = "Marked as unstable and skipped because of bug"

# The test breaks by a mistake of its own, before or after the cloud has answered as it should; or the cloud does what
# the test asks before it expects that.
FLAWS = (
    (
        r"(?s)in _create_server_with_image_def\n.*in store_image_file\n.*(BadRequest|InvalidContentType):",
        "the cloud refuses this image at its upload, before a server could be asked for",
    ),
    (r"validation_resources cannot be None", "no login to guests was asked for"),
    (r"in force_complete_live_migration\n\s+body = json\.loads", "the test reads JSON from an answer without a body"),
)

_CLASS_STEP = re.compile(r"^(setUpClass|tearDownClass|setUpModule) \((.+?)\)?$")
_ERROR_LINE = re.compile(r"^[A-Za-z_][\w.]*:")


def judge(suite: str, tests: Sequence[str], records: Sequence[Record], *, cut_off: bool) -> list[Result]:
    """One result for each test that was to run, and one for each class that failed to clean up behind itself."""
    by_test: dict[str, Record] = {}
    set_up: dict[str, Record] = {}
    torn_down: dict[str, Record] = {}
    for record in records:
        if record.status == "exists":  # the runner's own listing
            continue
        step = _CLASS_STEP.match(record.id)
        if step is None:
            by_test[bare(record.id)] = record
        elif record.status != "success":
            where = torn_down if step[1] == "tearDownClass" else set_up
            where.setdefault(step[2].rstrip(")"), record)

    results = [_judge_test(suite, bare(test), by_test, set_up, cut_off=cut_off) for test in tests]
    classes = {bare(test).rpartition(".")[0] for test in tests}
    for name, record in torn_down.items():
        if record.status == "fail" and name in classes:
            traceback = _detail(record, "traceback")
            results.append(
                Result(
                    suite=suite,
                    test=f"{name}.tearDownClass",
                    verdict=Verdict.FAILED,
                    why=last_line(traceback),
                    traceback=traceback,
                )
            )
    return results


def missing(suite: str, test: str, services: Sequence[str]) -> Result:
    why = f"not in the service catalog: {', '.join(services)}"
    return Result(suite=suite, test=bare(test), verdict=Verdict.MISSING, why=why)


def _judge_test(
    suite: str, test: str, by_test: Mapping[str, Record], set_up: Mapping[str, Record], *, cut_off: bool
) -> Result:
    record = by_test.get(test) or set_up.get(test.rpartition(".")[0])
    if record is None:
        why = "time limit" if cut_off else "the runner gave no result"
        return Result(suite=suite, test=test, verdict=Verdict.NOTRUN, why=why)
    traceback = _detail(record, "traceback")
    verdict, why = _verdict(record, traceback)
    return Result(
        suite=suite,
        test=test,
        verdict=verdict,
        why=why,
        seconds=record.seconds,
        traceback=traceback if verdict is Verdict.FAILED else "",
    )


def _verdict(record: Record, traceback: str) -> tuple[Verdict, str]:
    if record.status in ("success", "xfail"):
        return Verdict.PASSED, ""
    if record.status == "inprogress":
        return Verdict.NOTRUN, "cut off while it ran"
    if record.status == "skip":
        reason = " ".join((_detail(record, "reason") or traceback).split())
        if reason.startswith(UNSTABLE):
            return Verdict.FAILED, reason
        for pattern, excuse in EXCUSES:
            if re.search(pattern, reason):
                return Verdict.SKIPPED, f"[{excuse}] {reason}"
        return Verdict.MISSING, reason
    for pattern, flaw in FLAWS:
        if re.search(pattern, traceback):
            return Verdict.SKIPPED, f"[{flaw}] {last_line(traceback)}"
    return Verdict.FAILED, last_line(traceback) or record.status


def _detail(record: Record, kind: str) -> str:
    return "\n".join(text for name, text in record.details.items() if name.startswith(kind))


def last_line(traceback: str) -> str:
    """The line that says what went wrong, and what the cloud said about it."""
    lines = [line.strip() for line in traceback.splitlines() if line.strip()]
    errors = [line for line in lines if _ERROR_LINE.match(line) and not line.startswith("Details:")]
    said = [line for line in lines if line.startswith("Details:")]
    line = errors[-1] if errors else (lines[-1] if lines else "")
    if said and said[-1] not in line:
        line = f"{line} | {said[-1]}"
    return line[:500]
