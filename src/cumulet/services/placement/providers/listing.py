"""Which providers a list shows: decided purely."""

from __future__ import annotations

from cumulet.services.placement.asking import ProviderQuestion
from cumulet.services.placement.candidates.world import Provider, World


def matching(question: ProviderQuestion, world: World) -> set[str]:
    """The ids of the providers that answer a question, each by itself."""
    root = world.root_of(question.in_tree) if question.in_tree else ""
    if question.in_tree and not root:
        return set()
    return {one.id for one in world.providers.values() if _answers(question, one) and root in ("", one.root)}


def _answers(question: ProviderQuestion, one: Provider) -> bool:
    return (
        question.name in (None, one.name)
        and question.uuid in (None, one.id)
        and all(one.fits(resource, n) for resource, n in question.resources.items())
        and question.traits.met_by(one.traits)
        and all(some & one.aggregates for some in question.member_of)
        and not question.not_member_of & one.aggregates
    )
