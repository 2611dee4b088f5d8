"""What a client looks for, read from a query string: resources, traits, aggregates, a tree."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from cumulet.core.db import Transaction
from cumulet.core.web.call import Call
from cumulet.core.web.versions import version
from cumulet.lib.ids import is_uuid
from cumulet.services.placement.errors import BadQuery
from cumulet.services.placement.names import check_classes, check_traits, is_name

FORBIDDEN_TRAITS_SINCE = version("1.22")
MEMBERS_REPEAT_SINCE = version("1.24")
FORBIDDEN_AGGREGATES_SINCE = version("1.32")
ANY_TRAITS_SINCE = version("1.39")
PROVIDER_FILTERS = {"name": 0, "uuid": 0, "member_of": 3, "resources": 4, "in_tree": 14, "required": 18}
"""The filters of the list of providers, and the minor version that brought each."""
_AMOUNT = re.compile(r"[0-9]{1,19}\Z")


@dataclass(frozen=True)
class TraitWish:
    """The qualities that somebody looks for."""

    required: frozenset[str] = frozenset()
    forbidden: frozenset[str] = frozenset()
    any_of: tuple[frozenset[str], ...] = ()
    """At least one of each of these sets."""

    def names(self) -> set[str]:
        return set().union(self.required, self.forbidden, *self.any_of)

    def met_by(self, traits: set[str] | frozenset[str]) -> bool:
        return self.required <= traits and not self.forbidden & traits and all(some & traits for some in self.any_of)


@dataclass(frozen=True)
class Group:
    """Things that are wanted together."""

    resources: dict[str, int] = field(default_factory=dict)
    traits: TraitWish = field(default_factory=TraitWish)
    member_of: tuple[frozenset[str], ...] = ()
    """In at least one aggregate of each of these sets."""
    not_member_of: frozenset[str] = frozenset()
    in_tree: str = ""
    provider: str = ""
    """This one alone."""

    async def check_names(self, tx: Transaction) -> None:
        """Raise UnknownClass or UnknownTrait."""
        await check_classes(tx, set(self.resources))
        await check_traits(tx, self.traits.names())


@dataclass(frozen=True)
class ProviderQuestion(Group):
    """The filters of the list of providers."""

    name: str | None = None
    uuid: str | None = None
    narrows: bool = False


def provider_question(call: Call) -> ProviderQuestion:
    """Read the filters of the list of providers. Raises BadQuery."""
    known = [name for name, minor in PROVIDER_FILTERS.items() if call.version >= version("1.0") + minor]
    one, all_ = call.request.one, call.request.all
    for key, _ in call.request.query:
        if key not in known:
            raise BadQuery(f"Invalid query string parameters: {key[:60]!r} is not known at this microversion")
    uuid = one("uuid")
    if uuid is not None and not is_uuid(uuid):
        raise BadQuery(f"Invalid query string parameters: {uuid[:60]!r} is not a UUID")
    member_of, not_member_of = parse_members(all_("member_of"), call.version)
    resources = one("resources")
    return ProviderQuestion(
        resources=parse_resources(resources) if resources is not None else {},
        traits=parse_traits(all_("required"), call.version),
        member_of=member_of,
        not_member_of=not_member_of,
        in_tree=parse_tree(one("in_tree")),
        name=one("name"),
        uuid=uuid,
        narrows=bool(call.request.query),
    )


def parse_resources(text: str) -> dict[str, int]:
    """`VCPU:2,MEMORY_MB:512`. Raises BadQuery."""
    found: dict[str, int] = {}
    for part in text.split(","):
        name, _, amount = part.partition(":")
        if not is_name(name) or not _AMOUNT.match(amount) or not 1 <= int(amount) <= 2**53:
            raise BadQuery(
                "Malformed resources parameter. Expected a string of the form 'VCPU:2,MEMORY_MB:512'. "
                f"Got: {text[:80]!r}"
            )
        found[name] = int(amount)
    return found


def parse_traits(texts: Sequence[str], number: int) -> TraitWish:
    """`HW_CPU_X86_VMX,!CUSTOM_OLD`, and from 1.39 repeatedly and `in:A,B`. Raises BadQuery."""
    if number < ANY_TRAITS_SINCE:
        texts = texts[-1:]
    required: set[str] = set()
    forbidden: set[str] = set()
    any_of: list[frozenset[str]] = []
    for text in texts:
        if text.startswith("in:") and number >= ANY_TRAITS_SINCE:
            any_of.append(frozenset(_trait(name, text) for name in text.removeprefix("in:").split(",")))
            continue
        for part in text.split(","):
            if part.startswith("!") and number >= FORBIDDEN_TRAITS_SINCE:
                forbidden.add(_trait(part[1:], text))
            else:
                required.add(_trait(part, text))
    if required & forbidden:
        clash = ", ".join(sorted(required & forbidden))
        raise BadQuery(f"Conflicting required and forbidden traits found: {clash[:200]}")
    return TraitWish(frozenset(required), frozenset(forbidden), tuple(any_of))


def _trait(name: str, text: str) -> str:
    if not is_name(name):
        raise BadQuery(
            f"Invalid query string parameters: Expected 'required' parameter value of the form: "
            f"HW_CPU_X86_VMX,CUSTOM_MAGIC. Got: {text[:80]!r}"
        )
    return name


def parse_members(texts: Sequence[str], number: int) -> tuple[tuple[frozenset[str], ...], frozenset[str]]:
    """`<uuid>`, `in:<uuid>,<uuid>`, from 1.32 with `!` before. Raises BadQuery."""
    if number < MEMBERS_REPEAT_SINCE:
        texts = texts[-1:]
    wanted: list[frozenset[str]] = []
    unwanted: set[str] = set()
    for text in texts:
        negated = text.startswith("!") and number >= FORBIDDEN_AGGREGATES_SINCE
        rest = text[1:] if negated else text
        ids = frozenset(rest.removeprefix("in:").split(",") if rest.startswith("in:") else [rest])
        if not all(is_uuid(id_) for id_ in ids):
            raise BadQuery(
                "Expected 'member_of' parameter to contain valid UUID(s), as <uuid> or in:<uuid>,<uuid>. "
                f"Got: {text[:80]!r}"
            )
        if negated:
            unwanted |= ids
        else:
            wanted.append(ids)
    return tuple(wanted), frozenset(unwanted)


def parse_tree(text: str | None) -> str:
    """Raises BadQuery."""
    if text is not None and not is_uuid(text):
        raise BadQuery(f"Expected 'in_tree' parameter to be a format of uuid. Got: {text[:80]!r}")
    return text or ""
