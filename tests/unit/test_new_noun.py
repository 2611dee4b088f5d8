"""`script/noun` begins a noun that is declared and formatted as the others are."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "script" / "noun"


def begin(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    (folder / "script").mkdir(exist_ok=True)
    (folder / "src/cumulet/services/compute").mkdir(parents=True, exist_ok=True)
    (folder / "src/cumulet/services/compute/service.py").touch()
    shutil.copy(SCRIPT, folder / "script/noun")
    return subprocess.run([sys.executable, folder / "script/noun", *words], capture_output=True, text=True, check=False)


def test_a_noun_and_its_story_are_written(tmp_path: Path) -> None:
    assert begin(tmp_path, "compute", "tool_box", "tool_boxes").returncode == 0
    noun = tmp_path / "src/cumulet/services/compute/tool_boxes.py"
    story = tmp_path / "tests/api/compute/test_tool_boxes.py"
    assert "class ToolBoxRow(Row):" in noun.read_text()
    for file in (noun, story):
        settings = Path(__file__).parents[2] / "pyproject.toml"
        formatted = ["ruff", "format", "--check", "--config", settings, file]
        assert subprocess.run(formatted, capture_output=True, check=False).returncode == 0
        compile(file.read_text(), file.name, "exec")


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    begin(tmp_path, "compute", "locker", "lockers")
    again = begin(tmp_path, "compute", "locker", "lockers")
    assert again.returncode != 0
    assert "is there already" in again.stderr


def test_an_unknown_room_is_told_with_those_that_exist(tmp_path: Path) -> None:
    refusal = begin(tmp_path, "kitchen", "spoon", "spoons")
    assert "There are: compute" in refusal.stderr
