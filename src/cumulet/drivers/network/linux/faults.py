"""What an owner is told of a failure. Commands and their words are for administrators."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable

from cumulet.contracts.assignments import Fault
from cumulet.drivers.network.linux.names import Element
from cumulet.lib.process import ProcessFailed

FAILURES = (ProcessFailed, OSError, TimeoutError, ValueError)
"""What may happen to one element without being everybody's business."""
_LIMIT = 2000


def of_failure(element: Element, error: BaseException) -> Fault:
    """The fault of this element. The node tries again by itself, so there is nothing for its owner to do but wait."""
    kind, _ = element
    return Fault(
        message=f"The {kind.value} could not be set up on its host; it will be tried again.",
        details=f"{type(error).__name__}: {error}"[:_LIMIT],
    )


def of_untagged(error: PermissionError) -> Fault:
    """The fault of a sub-port on a node that runs without root: the kernel takes programs that tag frames only from it.

    Trying again does not help, so its owner is told what does."""
    return Fault(
        message="The port cannot be part of a trunk on its host, which runs rootless and may not tag frames. Use it "
        "without a trunk, or ask the operator for a host that runs as root.",
        code=409,
        details=f"{type(error).__name__}: {error}"[:_LIMIT],
    )


async def guarded(everything: Iterable[Element], work: Awaitable[dict[Element, Fault]]) -> dict[Element, Fault]:
    """What cannot be told apart is everybody's fault."""
    try:
        return await work
    except FAILURES as error:
        return {element: of_failure(element, error) for element in everything}
