"""The end of a live move that did not succeed, as either of its nodes tells it."""

from __future__ import annotations

import msgspec

from cumulet.contracts.machines import MachineFacts
from cumulet.contracts.moves import MoveFacts, Stage
from cumulet.drivers.hypervisor.base import MachineFailed


class MoveFailed(MachineFailed):
    """With the facts that say so. What fails without them may succeed when it is tried again."""

    def __init__(self, facts: MachineFacts, move: MoveFacts, why: str, details: str) -> None:
        super().__init__(why, details)
        self.facts = msgspec.structs.replace(facts, move=msgspec.structs.replace(move, stage=Stage.FAILED))
