"""The search for candidates: one tree after the other, together with the providers that share with it.

The un-numbered group may be spread over a tree and its sharing providers; each granular group is one provider's. Trees
take turns, so that a small limit shows many places rather than many ways to use one place. The effort is bounded: a
request with too many combinations gets those that were found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product

from cumulet.services.placement.asking import Group, TraitWish
from cumulet.services.placement.candidates.world import Provider, World

MOST_CANDIDATES = 1000
MOST_STEPS = 50_000
MOST_STEPS_PER_TREE = 10_000

Shares = dict[str, dict[str, int]]
"""provider → resource → how much."""


@dataclass(frozen=True)
class Request:
    """What shall fit somewhere. The un-numbered group has the empty suffix."""

    groups: Mapping[str, Group]
    isolate: bool = False
    limit: int = 0
    root_traits: TraitWish = field(default_factory=TraitWish)
    subtrees: tuple[frozenset[str], ...] = ()
    """Suffixes whose providers must stand below one of them."""
    nested: bool = True
    """May one tree give more than one provider?"""


@dataclass(frozen=True)
class Candidate:
    """One way to hold everything, and which group was served by whom."""

    allocations: Shares
    mappings: dict[str, list[str]]


@dataclass
class Effort:
    """How many combinations may still be looked at."""

    left: int = MOST_STEPS

    def spend(self) -> bool:
        self.left -= 1
        return self.left >= 0


@dataclass
class _Choice:
    """Who serves one group."""

    suffix: str
    shares: Shares
    providers: list[str] = field(default_factory=list)


def candidates(world: World, request: Request) -> list[Candidate]:
    """The ways to hold a request, without doubles."""
    effort = Effort()
    limit = min(request.limit or MOST_CANDIDATES, MOST_CANDIDATES)
    turns = [_in_tree(world, request, root, effort) for root in world.trees]
    found: dict[str, Candidate] = {}
    while turns and len(found) < limit:
        again = []
        for turn in turns:
            candidate = next(turn, None)
            if candidate is None:
                continue
            again.append(turn)
            found.setdefault(_identity(candidate), candidate)
            if len(found) >= limit:
                break
        turns = again
    return list(found.values())


def _identity(candidate: Candidate) -> str:
    shares = sorted((id_, sorted(units.items())) for id_, units in candidate.allocations.items())
    return repr((shares, sorted((suffix, sorted(ids)) for suffix, ids in candidate.mappings.items())))


def _in_tree(world: World, request: Request, root: str, effort: Effort) -> Iterator[Candidate]:
    tree = world.trees[root]
    top = world.providers.get(root)
    if top is None or not request.root_traits.met_by(top.traits):
        return
    together = set().union(*(one.aggregates for one in tree))
    guests = [one for one in world.sharing if one.root != root and one.aggregates & together]
    own = Effort(MOST_STEPS_PER_TREE)
    suffixes = sorted(request.groups, key=lambda suffix: (suffix != "", suffix))
    granular: dict[str, list[_Choice]] = {}
    for suffix in suffixes:
        if suffix:
            granular[suffix] = _single(world, request.groups[suffix], suffix, tree, guests)
            if not granular[suffix]:
                return
    firsts: Iterator[_Choice | None] = iter([None])
    if "" in request.groups:
        firsts = _spread(world, request.groups[""], tree, guests, effort, own)
    for first in firsts:
        chosen = [first] if first else []
        shares = first.shares if first else {}
        yield from _complete(world, request, chosen, shares, list(granular.values()), effort, own)


def _single(world: World, group: Group, suffix: str, tree: list[Provider], guests: list[Provider]) -> list[_Choice]:
    """Every provider that could serve a granular group alone."""
    found = []
    for one in [*tree, *guests] if group.resources else tree:
        if (
            all(one.fits(resource, n) for resource, n in group.resources.items())
            and group.traits.met_by(one.traits)
            and all(some & one.aggregates for some in group.member_of)
            and not group.not_member_of & one.aggregates
            and _in_wanted_tree(world, group, one)
        ):
            shares = {one.id: dict(group.resources)} if group.resources else {}
            found.append(_Choice(suffix, shares, [one.id]))
    return found


def _spread(
    world: World, group: Group, tree: list[Provider], guests: list[Provider], effort: Effort, own: Effort
) -> Iterator[_Choice]:
    """Every way to spread the un-numbered group over a tree and those who share with it."""
    usable = [one for one in [*tree, *guests] if _admits(world, group, one)]
    options = [[one for one in usable if one.fits(resource, n)] for resource, n in group.resources.items()]
    for combination in product(*options):
        if not effort.spend() or not own.spend():
            return
        traits = set().union(*(one.traits for one in combination))
        if not group.traits.met_by(traits):
            continue
        shares: Shares = {}
        for one, (resource, n) in zip(combination, group.resources.items(), strict=True):
            shares.setdefault(one.id, {})[resource] = n
        yield _Choice("", shares, list(shares))


def _admits(world: World, group: Group, one: Provider) -> bool:
    """May this provider take part? Membership of a tree's root counts for everything below it."""
    root = world.providers.get(one.root, one)
    aggregates = one.aggregates | root.aggregates
    return (
        not group.traits.forbidden & one.traits
        and all(some & aggregates for some in group.member_of)
        and not group.not_member_of & aggregates
        and _in_wanted_tree(world, group, one)
    )


def _in_wanted_tree(world: World, group: Group, one: Provider) -> bool:
    if group.provider not in ("", one.id):
        return False
    return not group.in_tree or world.root_of(group.in_tree) == one.root


def _complete(
    world: World,
    request: Request,
    chosen: list[_Choice],
    shares: Shares,
    rest: list[list[_Choice]],
    effort: Effort,
    own: Effort,
) -> Iterator[Candidate]:
    """Add a choice for each remaining group, as long as everything still fits together."""
    if not rest:
        if _stands_together(world, request, chosen):
            yield Candidate(shares, {choice.suffix: list(choice.providers) for choice in chosen})
        return
    for choice in rest[0]:
        if not effort.spend() or not own.spend():
            return
        if request.isolate and _clashes(choice, chosen):
            continue
        together = _joined(world, shares, choice.shares)
        if together is not None:
            yield from _complete(world, request, [*chosen, choice], together, rest[1:], effort, own)


def _clashes(choice: _Choice, chosen: list[_Choice]) -> bool:
    """Granular groups with resources do not meet on a provider."""
    if not choice.shares:
        return False
    return any(other.suffix and other.shares and other.providers == choice.providers for other in chosen)


def _joined(world: World, shares: Shares, more: Shares) -> Shares | None:
    """Both together; None when there is no room for the sums. Each part was looked at alone before."""
    total = dict(shares)
    for id_, units in more.items():
        held = dict(total.get(id_, {}))
        for resource, n in units.items():
            held[resource] = held.get(resource, 0) + n
            if not world.providers[id_].stock[resource].holds(held[resource]):
                return None
        total[id_] = held
    return total


def _stands_together(world: World, request: Request, chosen: list[_Choice]) -> bool:
    if not request.nested:
        used = {id_ for choice in chosen for id_ in choice.shares}
        if len({world.providers[id_].root for id_ in used}) != len(used):
            return False
    for suffixes in request.subtrees:
        ids = {id_ for choice in chosen if choice.suffix in suffixes for id_ in choice.providers}
        lineages = [world.lineage(id_) for id_ in ids]
        if not any(all(top in lineage for lineage in lineages) for top in ids):
            return False
    return True
