"""What an owner is told of a failure. Commands and their words are for administrators."""

from __future__ import annotations

from cumulet.contracts.assignments import Fault
from cumulet.drivers.network.linux.names import Element

_LIMIT = 2000


def of_failure(element: Element, error: BaseException) -> Fault:
    """The fault of this element. The node tries again by itself, so there is nothing for its owner to do but wait."""
    kind, _ = element
    return Fault(
        message=f"The {kind.value} could not be set up on its host; it will be tried again.",
        details=f"{type(error).__name__}: {error}"[:_LIMIT],
    )
