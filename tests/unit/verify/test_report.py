from __future__ import annotations

from pathlib import Path

from cumulet.programs.verify import report
from cumulet.programs.verify.verdicts import Result, Verdict


def result(test: str, verdict: Verdict, why: str = "", traceback: str = "") -> Result:
    return Result(suite="image", test=f"tempest.api.image.{test}", verdict=verdict, why=why, traceback=traceback)


RESULTS = [
    result("test_images.ImagesTest.test_list", Verdict.PASSED),
    result("test_images.ImagesTest.test_show", Verdict.FAILED, "NotFound: no image", "Traceback …"),
    result("admin.test_stores.StoresTest.test_list", Verdict.MISSING, "no stores"),
    result("admin.test_stores.StoresTest.test_show", Verdict.MISSING, "no stores"),
]


def test_the_lines_of_a_suite_count_by_noun_and_end_with_the_sum() -> None:
    lines = report.suite_lines("image", RESULTS)

    assert [" ".join(line.split()) for line in lines] == [
        "tempest.api.image.admin passed=0 failed=0 missing=2 skipped=0 notrun=0 total=2",
        "tempest.api.image passed=1 failed=1 missing=0 skipped=0 notrun=0 total=2",
        "suite image passed=1 failed=1 missing=2 skipped=0 notrun=0 total=4",
    ]


def test_reasons_are_counted() -> None:
    assert report.reason_lines(RESULTS) == ["failed x1: NotFound: no image", "missing x2: no stores"]


def test_reasons_that_differ_in_ids_only_are_one() -> None:
    reasons = [
        f"nothing at /users/{user}/credentials of tempest-UsersTest-{number}"
        for user, number in (
            ("3f62e748261b414caee511881182ce89", 2132295696),
            ("0d58bffd-6b64-46a7-9aa7-ae3b6743414b", 35078527),
        )
    ]

    lines = report.reason_lines([result(f"a.A.test_{why[-3:]}", Verdict.FAILED, why) for why in reasons])

    assert lines == ["failed x2: nothing at /users/…/credentials of tempest-UsersTest-…"]


def test_the_report_can_be_read_again(tmp_path: Path) -> None:
    report.write(tmp_path, RESULTS)

    later = [result("test_images.ImagesTest.test_list", Verdict.FAILED, "it broke"), *RESULTS[1:]]
    lines = report.worse_lines(later, (tmp_path / "results.json").read_bytes())

    assert lines == ["worse than before: 1", "  tempest.api.image.test_images.ImagesTest.test_list"]
    assert (tmp_path / "missing.txt").read_text().splitlines() == [
        "# 2  no stores",
        "tempest.api.image.admin.test_stores.StoresTest.test_list\tno stores",
        "tempest.api.image.admin.test_stores.StoresTest.test_show\tno stores",
    ]
    assert "Traceback …" in (tmp_path / "tracebacks.txt").read_text()
