"""Numbers as texts."""

from __future__ import annotations

import pytest

from cumulet.lib.numbers import MOST, whole


def test_what_is_a_whole_number() -> None:
    assert [whole(text) for text in ("0", "007", str(MOST))] == [0, 7, MOST]
    for text in ("", "-1", "+1", "1.0", " 1", "1\n", "1_0", "²", "٣", str(MOST + 1), "9" * 5000):
        with pytest.raises(ValueError, match="is not a whole number"):
            whole(text)
