"""Questions to a node: whoever reads them on the way learns no secret and can change nothing."""

from __future__ import annotations

import json

import pytest

from cumulet.contracts.asks import Ask, BadSeal, seal, unseal

QUESTION = Ask(what="set_password", parameters={"machine": "m"}, expires_at=100)


def test_secrets_are_parameters_that_only_the_node_reads() -> None:
    line = seal(QUESTION, "key", {"password": "Newpass1234"})
    assert b"Newpass1234" not in line
    assert unseal(line, "key", 99).parameters == {"machine": "m", "password": "Newpass1234"}
    assert unseal(seal(QUESTION, "key"), "key", 99) == QUESTION


@pytest.mark.parametrize("part", ["text", "hidden", "seal"])
def test_a_question_that_was_changed_on_its_way_is_refused(part: str) -> None:
    one, other = (json.loads(seal(QUESTION, key, {"password": key})) for key in ("key", "other"))
    other["text"] = other["text"].replace('"m"', '"n"')
    with pytest.raises(BadSeal):
        unseal(json.dumps({**one, part: other[part]}).encode(), "key", 99)
    with pytest.raises(BadSeal):
        unseal(json.dumps({**one, "hidden": ""}).encode(), "key", 99)
    with pytest.raises(BadSeal, match="too old"):
        unseal(json.dumps(one).encode(), "key", 101)
