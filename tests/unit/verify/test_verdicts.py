from __future__ import annotations

import pytest

from cumulet.programs.verify.verdicts import Record, Result, Verdict, judge, last_line, missing

TEST = "tempest.api.image.test_images.ImagesTest.test_show[id-1,smoke]"
TRACEBACK = """Traceback (most recent call last):
  File "test_images.py", line 12, in test_show
    self.client.show_image(image)
tempest.lib.exceptions.NotFound: Object not found
Details: {'code': 404, 'message': 'No image found'}
"""


def judged(*records: Record, cut_off: bool = False) -> list[Result]:
    return judge("image", [TEST], records, cut_off=cut_off)


def record(status: str, identifier: str = TEST, **details: str) -> Record:
    return Record(id=identifier, status=status, details=details)


@pytest.mark.parametrize(
    ("one", "verdict", "why"),
    [
        (record("success"), Verdict.PASSED, ""),
        (record("xfail"), Verdict.PASSED, ""),
        (record("inprogress"), Verdict.NOTRUN, "cut off while it ran"),
        (
            record("fail", traceback=TRACEBACK),
            Verdict.FAILED,
            "tempest.lib.exceptions.NotFound: Object not found | Details: {'code': 404, 'message': 'No image found'}",
        ),
        (record("skip", reason="extension x is not enabled."), Verdict.MISSING, "extension x is not enabled."),
        (
            record("skip", reason="Skipped until bug 1234567 is resolved"),
            Verdict.SKIPPED,
            "[known bug] Skipped until bug 1234567 is resolved",
        ),
        (
            record("skip", reason="Marked as unstable and skipped because of bug: 1, failure was: Timeout"),
            Verdict.FAILED,
            "Marked as unstable and skipped because of bug: 1, failure was: Timeout",
        ),
        (
            record("skip", reason='Either project_networks_reachable must be "true", or public_network_id be defined.'),
            Verdict.MISSING,
            'Either project_networks_reachable must be "true", or public_network_id be defined.',
        ),
        (
            record("fail", traceback="lib.exceptions.InvalidParam: validation_resources cannot be None"),
            Verdict.SKIPPED,
            "[no login to guests was asked for] lib.exceptions.InvalidParam: validation_resources cannot be None",
        ),
    ],
)
def test_one_record_gives_one_verdict(one: Record, verdict: Verdict, why: str) -> None:
    (result,) = judged(record("exists"), one)

    assert (result.verdict, result.why) == (verdict, why)
    assert result.test == "tempest.api.image.test_images.ImagesTest.test_show"


def test_only_the_mistake_of_a_test_excuses_it() -> None:
    flaw = TRACEBACK.replace("in test_show\n    self.", "in force_complete_live_migration\n    body = json.loads(x)")
    (excused,) = judged(record("fail", traceback=flaw))
    (failed,) = judged(record("fail", traceback=flaw.replace("force_complete", "complete")))
    assert (excused.verdict, failed.verdict) == (Verdict.SKIPPED, Verdict.FAILED)


REFUSED_AT_UPLOAD = """Traceback (most recent call last):
  File "test_images_formats.py", line 164, in _create_server_with_image_def
    image = self._test_image(image_def)
  File "test_images_formats.py", line 88, in _test_image
    self.client.store_image_file(image['id'], f)
  File "images_client.py", line 170, in store_image_file
    self._error_checker(resp, body)
tempest.lib.exceptions.InvalidContentType: Invalid content type provided
Details: Image data was refused: it is declared as qcow2 but is raw.
"""


def test_a_cloud_that_refuses_earlier_than_a_test_expects_does_no_wrong() -> None:
    (earlier,) = judged(record("fail", traceback=REFUSED_AT_UPLOAD))
    (elsewhere,) = judged(record("fail", traceback=REFUSED_AT_UPLOAD.replace("_create_server_with_", "upload_")))
    assert (earlier.verdict, elsewhere.verdict) == (Verdict.SKIPPED, Verdict.FAILED)
    assert earlier.why.startswith("[the cloud refuses this image at its upload")


def test_a_class_that_cannot_be_set_up_fails_its_tests() -> None:
    name = "setUpClass (tempest.api.image.test_images.ImagesTest)"

    (result,) = judged(record("fail", name, traceback=TRACEBACK))

    assert result.verdict is Verdict.FAILED
    assert result.traceback == TRACEBACK


def test_a_class_that_skips_as_a_whole_is_missing() -> None:
    name = "setUpClass (tempest.api.image.test_images.ImagesTest)"

    (result,) = judged(record("skip", name, reason="Glance is not available"))

    assert result.verdict is Verdict.MISSING


def test_what_another_suite_left_behind_is_not_told_here() -> None:
    name = "tearDownClass (tempest.api.volume.test_volumes.VolumesTest)"

    (passed,) = judged(record("success"), record("fail", name, traceback=TRACEBACK))

    assert passed.verdict is Verdict.PASSED


def test_a_class_that_leaves_something_behind_is_a_failure_of_its_own() -> None:
    name = "tearDownClass (tempest.api.image.test_images.ImagesTest)"

    passed, left_behind = judged(record("success"), record("fail", name, traceback=TRACEBACK))

    assert passed.verdict is Verdict.PASSED
    assert left_behind.verdict is Verdict.FAILED
    assert left_behind.test == "tempest.api.image.test_images.ImagesTest.tearDownClass"


@pytest.mark.parametrize(("cut_off", "why"), [(True, "time limit"), (False, "the runner gave no result")])
def test_a_test_without_a_record_was_not_run(cut_off: bool, why: str) -> None:
    (result,) = judged(cut_off=cut_off)

    assert (result.verdict, result.why) == (Verdict.NOTRUN, why)


def test_a_test_of_a_service_that_is_not_there_is_missing() -> None:
    result = missing("image", TEST, ["glance"])

    assert (result.verdict, result.why) == (Verdict.MISSING, "not in the service catalog: glance")


def test_a_traceback_without_an_error_line_is_told_by_its_end() -> None:
    assert last_line("something\nwent wrong\n") == "went wrong"
    assert last_line("") == ""
