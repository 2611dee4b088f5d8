"""An operator's policy folder: read in order, judged as a whole, followed while the service runs."""

from __future__ import annotations

import os
from collections import UserDict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cumulet.core.access.policy_file import MAX_BYTES, PolicyFileError, PolicyFiles
from cumulet.core.access.rules import Rules

DEFAULTS = {
    "admin_api": "role:admin",
    "owner": "project_id:%(project_id)s",
    "servers:start": "rule:owner",
    "servers:delete": "rule:owner",
}
ADMIN = {"roles": ["admin"], "project_id": "p0"}
OWNER = {"roles": ["member"], "project_id": "p1"}
OPERATOR = {"roles": ["operator"], "project_id": "p9"}
MINE = {"project_id": "p1"}


@pytest.fixture
def rules() -> Rules:
    return Rules(DEFAULTS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "policy.d").mkdir()
    return tmp_path


def allowed(rules: Rules, rule: str = "servers:start") -> tuple[bool, bool, bool]:
    """(administrator, owner, operator)"""
    return rules.allows(rule, MINE, ADMIN), rules.allows(rule, MINE, OWNER), rules.allows(rule, MINE, OPERATOR)


def test_no_folder_means_the_defaults(rules: Rules, tmp_path: Path) -> None:
    files = PolicyFiles(rules, tmp_path / "absent")
    assert allowed(rules) == (False, True, False)
    assert not files.reload_if_changed()


def test_yaml_goes_over_the_defaults(rules: Rules, folder: Path) -> None:
    (folder / "policy.yaml").write_text(
        '# The night shift.\n"servers:start": "role:operator or rule:owner"\nowner: "!"\n'
    )
    files = PolicyFiles(rules, folder)
    assert allowed(rules) == (False, False, True)
    assert files.warnings == ()


def test_a_file_of_comments_says_nothing(rules: Rules, folder: Path) -> None:
    (folder / "policy.yaml").write_text('#"servers:start": "!"\n')
    PolicyFiles(rules, folder)
    assert allowed(rules) == (False, True, False)


def test_json_may_have_tabs_and_lists(rules: Rules, folder: Path) -> None:
    (folder / "policy.json").write_text(
        '{\n\t"servers:start":[["role:operator"],\n\t\t"role:admin"],\n\t"owner":[]\n}\n'
    )
    PolicyFiles(rules, folder)
    assert allowed(rules) == (True, False, True)
    assert allowed(rules, "servers:delete") == (True, True, True)


def test_yaml_goes_before_json(rules: Rules, folder: Path) -> None:
    (folder / "policy.yaml").write_text('"servers:start": "role:admin"\n')
    (folder / "policy.json").write_text('{"servers:start": "role:operator"}\n')
    files = PolicyFiles(rules, folder)
    assert allowed(rules) == (True, False, False)
    assert files.warnings == (f"{folder}/policy.json is not read, since {folder}/policy.yaml is there",)


def test_parts_are_read_after_it_in_the_order_of_their_names(rules: Rules, folder: Path) -> None:
    (folder / "policy.yaml").write_text('"servers:start": "role:admin"\n"servers:delete": "role:admin"\n')
    (folder / "policy.d" / "20-late.json").write_text('{"servers:start": "role:operator"}')
    (folder / "policy.d" / "10-early.yml").write_text('"servers:start": "!"\n')
    (folder / "policy.d" / ".hidden.yaml").write_text("neither read nor judged")
    (folder / "policy.d" / "30-old.yaml.bak").write_text('"servers:start": "@"\n')
    files = PolicyFiles(rules, folder)
    assert allowed(rules) == (False, False, True)
    assert allowed(rules, "servers:delete") == (True, False, False)
    (warning,) = files.warnings
    assert warning.startswith(f"{folder}/policy.d/30-old.yaml.bak is not read")


def test_an_unknown_name_is_warned_about_unless_it_is_asked(rules: Rules, folder: Path) -> None:
    (folder / "policy.yaml").write_text(
        '"night_shift": "role:operator"\n"servers:strat": "!"\n"servers:start": "rule:night_shift"\n'
    )
    files = PolicyFiles(rules, folder)
    assert allowed(rules) == (False, False, True)
    (warning,) = files.warnings
    assert warning == f"{folder}/policy.yaml:2: nothing asks for rule 'servers:strat'; did you mean 'servers:start'?"


MISTAKES = {
    "yaml": ('"servers:start": "role:a"\n"owner": @\n', ":2: is not YAML", "into quotes"),
    "no-pairs": ("- role:admin\n", ": write one", "each line"),
    "empty": ('"owner":\n', ":1: rule 'owner': says nothing", '"!" never'),
    "bare-never": ('\n"owner": !\n', ":2: rule 'owner': says nothing", '"!" never'),
    "bool": ('"owner": true\n', ":1: rule 'owner': is a bool and not a text", "in quotes"),
    "mapping": ('"owner": {a: b}\n', ":1: rule 'owner': is a map and not a text", "in quotes"),
    "deep": ('"owner": [[["role:a"]]]\n', ":1: rule 'owner': is a seq and not a text", "in quotes"),
    "twice": ('"owner": "role:a"\n"owner": "role:b"\n', ":2: rule 'owner' stood at", "policy.yaml:1 already"),
    "rule": ('\n\n"owner": "role:a role:b"\n', ":3: rule 'owner': two checks stand side by side", "'and' or 'or'"),
    "undefined": (
        '"owner": "rule:admin_ap"\n',
        ":1: rule 'owner': it refers to 'admin_ap'",
        "did you mean 'admin_api'?",
    ),
    "circle": ('"owner": "rule:servers:start"\n', ":1: rule '", "it asks itself"),
    "too-big": ("#" * (MAX_BYTES + 1), ": has more than", "split it"),
    "control": ('"owner": "\x07"\n', ": is not YAML", "special characters"),
    "too-deep": ('"owner": ' + "[" * 20_000, ": is not YAML", "recursion"),
}


@pytest.mark.parametrize(("text", "where", "remedy"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_named_with_its_file_and_line(
    rules: Rules, folder: Path, text: str, where: str, remedy: str
) -> None:
    (folder / "policy.yaml").write_text(text)
    with pytest.raises(PolicyFileError) as caught:
        PolicyFiles(rules, folder)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{folder}/policy.yaml{where}")
    assert remedy in problem
    assert allowed(rules) == (False, True, False)


def test_text_in_another_encoding_is_refused(rules: Rules, folder: Path) -> None:
    (folder / "policy.yaml").write_bytes('"owner": "role:ä"'.encode("latin-1"))
    with pytest.raises(PolicyFileError, match="is not UTF-8"):
        PolicyFiles(rules, folder)


def test_something_that_is_no_file_is_refused(rules: Rules, folder: Path) -> None:
    (folder / "policy.d" / "10.yaml").mkdir()
    with pytest.raises(PolicyFileError, match=r"policy.d/10.yaml: cannot be read: Is a directory"):
        PolicyFiles(rules, folder)


def test_a_file_that_cannot_be_looked_at_is_not_taken_for_absent(rules: Rules, folder: Path) -> None:
    (folder / "policy.yaml").symlink_to(folder / "policy.yaml")
    with pytest.raises(PolicyFileError, match=r"policy.yaml: cannot be read: Too many levels of symbolic links"):
        PolicyFiles(rules, folder)


def test_too_many_files_are_refused(rules: Rules, folder: Path) -> None:
    for number in range(257):
        (folder / "policy.d" / f"{number}.yaml").touch()
    with pytest.raises(PolicyFileError, match="more than 256 policy files"):
        PolicyFiles(rules, folder)


def test_all_mistakes_are_told_together(rules: Rules, folder: Path) -> None:
    (folder / "policy.yaml").write_text('"owner": "role:a role:b"\n"servers:start": "admin"\n')
    (folder / "policy.d" / "1.yaml").write_text('"servers:delete": "rule:nobody_knows"\n')
    with pytest.raises(PolicyFileError) as caught:
        PolicyFiles(rules, folder)
    assert len(caught.value.problems) == 3
    assert f"{folder}/policy.d/1.yaml:1: rule 'servers:delete'" in str(caught.value)


@pytest.fixture
def moments() -> Iterator[int]:
    """Times of modification, each after the one before."""
    return iter(range(1_700_000_000, 1_700_000_100))


def write(path: Path, text: str, moment: int) -> None:
    path.write_text(text)
    os.utime(path, (moment, moment))


def test_an_edit_takes_effect_without_a_restart(rules: Rules, folder: Path, moments: Iterator[int]) -> None:
    policy, part = folder / "policy.yaml", folder / "policy.d" / "1.yaml"
    files = PolicyFiles(rules, folder)
    write(policy, '"servers:start": "role:admin"\n', next(moments))
    assert files.reload_if_changed()
    assert allowed(rules) == (True, False, False)
    assert not files.reload_if_changed()
    write(policy, '"servers:start": "role:owner"\n', next(moments))
    assert files.reload_if_changed()
    assert allowed(rules) == (False, False, False)
    write(part, '"servers:start": "role:operator"\n', next(moments))
    assert files.reload_if_changed()
    assert allowed(rules) == (False, False, True)
    policy.unlink()
    part.unlink()
    assert files.reload_if_changed()
    assert allowed(rules) == (False, True, False)


def test_a_bad_edit_keeps_the_old_rules_and_says_why(rules: Rules, folder: Path, moments: Iterator[int]) -> None:
    policy, part = folder / "policy.yaml", folder / "policy.d" / "1.yaml"
    write(policy, '"servers:start": "role:operator"\n"servers:delete": "!"\n', next(moments))
    files = PolicyFiles(rules, folder)
    write(policy, '"servers:start": "@"\n', next(moments))
    write(part, '"servers:delete": "role:admin and"\n', next(moments))
    assert not files.reload_if_changed()
    assert allowed(rules) == (False, False, True)
    assert allowed(rules, "servers:delete") == (False, False, False)
    assert files.error is not None
    assert files.error.problems[0].startswith(f"{part}:1: rule 'servers:delete'")
    assert not files.reload_if_changed()
    assert files.error is not None
    write(part, '"servers:delete": "role:admin"\n', next(moments))
    assert files.reload_if_changed()
    assert files.error is None
    assert allowed(rules) == (True, True, True)
    assert allowed(rules, "servers:delete") == (True, False, False)


class Watched(UserDict[str, str]):
    """Default rules that let something happen whenever they are read."""

    def __init__(self, texts: dict[str, str]) -> None:
        super().__init__(texts)
        self.meanwhile: list[Callable[[], None]] = []

    def __iter__(self) -> Iterator[str]:
        if self.meanwhile:
            self.meanwhile.pop()()
        return super().__iter__()


def test_an_edit_in_the_middle_of_reading_is_taken_up_when_it_is_whole(folder: Path, moments: Iterator[int]) -> None:
    policy = folder / "policy.yaml"
    defaults = Watched(DEFAULTS)
    rules = Rules(defaults)
    files = PolicyFiles(rules, folder)
    write(policy, '"servers:start": "@"\n', next(moments))
    defaults.meanwhile.append(lambda: write(policy, '"servers:start": "@"\n"servers:delete": "!"\n', next(moments)))
    assert not files.reload_if_changed()
    assert allowed(rules) == (False, True, False)
    assert files.reload_if_changed()
    assert allowed(rules) == (True, True, True)
    assert allowed(rules, "servers:delete") == (False, False, False)
