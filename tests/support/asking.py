"""Requests as the contracts allow them, nearly allow them, and never would."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

from cumulet.core.web.body import REQUIRED, Body, Shape
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.versions import text_of
from cumulet.core.web.versions import version as number_of
from cumulet.core.web.wire import Wire
from cumulet.lib.ids import drawn_from
from cumulet.services.network.service import NOUNS
from tests.support.conforming import Maker
from tests.support.contract import FILES, Contract, Operation, plain
from tests.support.contract import place as contracts
from tests.support.hostile import IDS, PATCHED, QUERIES, RAW, UUID, accepted
from tests.support.ledger import unknown
from tests.support.target import JSON, Answer, Ids, Target, problem
from tests.support.virtual_time import VirtualLoop

KINDS = (JSON, "application/octet-stream", "application/openstack-images-v2.1-json-patch", "text/plain", "\xff;;=", "")
ODD_VERSIONS = ("0", "x", "2", "-1.0", "2.", "2.01", "2.9999", "99.1", "2.1.1", "latest", "LATEST", "2.1, compute 2.2")
ODD_QUERIES = (*QUERIES, "limit=1&limit=-1", "x[]=1", "name=%00", "sort_dir=sideways", "%zz", "?")
GOOD_NAMES = ("a", "n1", "CUSTOM_A", "1", "name", "nova", "default", "x-y")
TRIES = 10
"""Requests after which one gives up to have something made."""


class Question(NamedTuple):
    """One request to one room."""

    room: str
    method: str
    path: str
    persona: str
    body: bytes
    version: str
    query: str
    kind: str
    headers: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        address = f"{self.path[:200]}{'?' if self.query else ''}{self.query[:200]}"
        return f"{self.persona} {self.method} {address} at {self.version or '-'}, {self.kind} {self.body[:400]!r}"


class Served(NamedTuple):
    """An endpoint as it stands, and what the contract says of it."""

    endpoint: Endpoint
    method: str
    path: str
    """With names for its parts."""
    prefix: str
    operation: Operation | None

    @property
    def name(self) -> str:
        return f"{self.method} {self.prefix}{self.path}"


class Fault(AssertionError):
    """A question that was not answered as it should be."""


class Asker:
    """Asks one room for what its contract describes."""

    def __init__(self, target: Target, room: str, contract: Contract | None) -> None:
        self.target, self.room, self.contract = target, room, contract
        self.service, self.door = target.cloud.services[room], target.cloud.doors[room]
        self.ids: Ids = {}
        self._names: dict[str, list[str]] = {}
        self._fitting: dict[tuple[int, int], list[Any]] = {}
        low, high = self.door.dialect.earliest, self.door.dialect.latest
        self.versions = sorted({low, *(low + (high - low) * n // 5 for n in range(1, 5)), high})

    def served(self) -> list[Served]:
        """Everything that this room offers."""
        offered = [(endpoint, self.service.prefix) for endpoint in self.service.endpoints()]
        offered += [(endpoint, "") for endpoint in self.service.roots]
        found = {(e.method, prefix + e.path): self._served(e, prefix) for e, prefix in offered}
        return list(found.values())

    def _served(self, endpoint: Endpoint, prefix: str) -> Served:
        operations = self.contract.operations if self.contract else {}
        place = plain(prefix + endpoint.path)
        return Served(endpoint, endpoint.method, endpoint.path, prefix, operations.get((endpoint.method, place)))

    def furnish(self, seed: int) -> None:
        """Have one of everything made, as far as chance finds what a service takes."""
        self.look()
        choice = random.Random(seed)
        for _ in range(3):
            for served in self.served():
                if served.method in ("POST", "PUT") and not served.path.endswith(("/action", "enable", "disable")):
                    for persona in ("member", "admin"):
                        for _ in range(TRIES):
                            question = self.question(choice, served, persona=persona, honest=True)
                            if self.ask(question).status < 300:
                                break
            self.target.do(self.target.settle())
            self.look()

    def look(self) -> None:
        """See what there is."""
        self._names.clear()
        for room in self.target.cloud.services:
            ids = self.target.do(self.target.ids(room))
            for path, known in ids.items():
                self._names.setdefault(_stem(path.rpartition("/")[2]), []).extend(known)
            if room == self.room:
                self.ids = ids

    def ask(self, question: Question) -> Answer:
        answer: Answer = self.target.do(self.target.ask(*question))
        return answer

    def check(self, question: Question, served: Served) -> None:
        """Ask. Raises Fault."""
        answer = self.ask(question)
        found = problem(self.room, answer, question.method) or self._difference(question, served, answer)
        if found:
            raise Fault(f"{question}: {found}")

    def _difference(self, question: Question, served: Served, answer: Answer) -> str:
        """Where an answer is not what the contract describes, and the ledger does not know."""
        if not served.operation or answer.status >= 300 or not answer.headers.get("content-type", "").endswith("json"):
            return ""
        told = answer.headers.get("openstack-api-version", "").rpartition(" ")[2]
        number = number_of(told) if told else 0
        found = served.operation.differences(number, msgspec.json.decode(answer.body or b"null"))
        operation = f"{served.method} {plain(served.prefix + served.path)}"
        return "; ".join(f"{operation} {one}" for one in unknown(self.room, operation, found))

    # ---- questions -------------------------------------------------------------------------------------------------

    def question(self, choice: random.Random, served: Served, *, persona: str = "", honest: bool = False) -> Question:
        """A request to one endpoint; an honest one tries to be understood."""
        version = self.versions[-1] if honest else choice.choice(self.versions)
        maker = Maker(choice, self._known)
        patience = 1.0 if honest else choice.choice((1.0, 1.0, 0.9, 0.5))
        return Question(
            room=self.room,
            method=served.method,
            path=served.prefix + self._path(choice, served.path, patience),
            persona=persona or choice.choice(("member", "admin", "admin")),
            body=self._body(choice, maker, served, version, honest),
            version=self._version(choice, version, honest),
            query=self._needed(maker, served, version) if honest else self._query(choice, maker, served, version),
            kind=self._kind(served) if honest or choice.random() < 0.9 else choice.choice(KINDS),
            headers=self._headers(choice, served),
        )

    def _kind(self, served: Served) -> str:
        if self.room != "image":
            return JSON
        if served.path.endswith(("/file", "/stage")):
            return "application/octet-stream"
        return "application/openstack-images-v2.1-json-patch" if served.method == "PATCH" else JSON

    def _known(self, name: str) -> Sequence[str]:
        """Ids of what a name seems to refer to."""
        if not _stem(name):
            return ()
        if not re.search(r"(?i)(id|ids|uuid|ref|name|_type|service|token)$", name):
            return ()
        return self._names.get(_stem(name)) or ()

    def _path(self, choice: random.Random, path: str, patience: float) -> str:
        def one(match: re.Match[str]) -> str:
            known = self.ids.get(path[: match.start()].rstrip("/")) or self._known(match[0].strip("{}"))
            if not known and choice.random() < patience:
                return choice.choice(GOOD_NAMES)
            if known and choice.random() < patience:
                # What stands below something stands below the first of its kind.
                return quote(known[0] if choice.random() < 0.6 else choice.choice(known), safe="")
            return choice.choice(IDS[:-1])

        return re.sub(r"\{[^}]*\}", one, path)

    def _body(self, choice: random.Random, maker: Maker, served: Served, version: int, honest: bool) -> bytes:
        if served.method not in ("POST", "PUT", "PATCH"):
            return b"" if honest or choice.random() < 0.95 else choice.choice(RAW)
        luck = 0.0 if honest else choice.random()
        if luck > 0.93:
            return choice.choice(RAW)
        value = self._value(choice, maker, served, version)
        return msgspec.json.encode(value) if luck < 0.45 else maker.spoilt(value)

    def _value(self, choice: random.Random, maker: Maker, served: Served, version: int) -> Any:
        """A body that fits the contract; where that is silent, one that fits the declaration, or a guess."""
        schemas = served.operation.bodies(version) if served.operation else []
        if served.method == "PATCH" and self.room == "image":
            op, path = choice.choice(("add", "replace", "remove")), choice.choice(PATCHED)
            return [{"op": op, "path": path, "value": maker.value({}, "name")}]
        body = declared(served.endpoint)
        told = any(schema.get("properties") or schema.get("patternProperties") for schema in schemas)
        if told and (body is None or choice.random() < 0.5):
            return maker.value(choice.choice(schemas))
        if body is not None and body.kind is None:
            wish = self._wish(choice, body.shape, version)
            return {body.one: wish} if body.one else wish
        key = choice.choice((served.path.rpartition("/")[2].strip("{}"), "name", "id", "value", "auth", "tag"))
        return {key: {"name": maker.text({}, key), "id": maker.text({}, "id")}}

    def _wish(self, choice: random.Random, shape: Shape, version: int) -> dict[str, Any]:
        """Some of the fields that a declaration takes, with values that it takes."""
        often = choice.choice((0.0, 0.2, 0.6))
        wish = {}
        for field, given in shape.at(version).fields:
            if given is REQUIRED or choice.random() < often:
                known = self._known(field.name)
                fitting = self._accepted(field.type, version)
                wish[field.name] = choice.choice(known if known and choice.random() < 0.8 else fitting)
        return wish

    def _accepted(self, wire: Wire, version: int) -> list[Any]:
        key = (id(wire), version)
        if key not in self._fitting:
            self._fitting[key] = accepted(wire, version, [UUID])
        return self._fitting[key]

    def _version(self, choice: random.Random, version: int, honest: bool) -> str:
        if not version:
            return ""
        return text_of(version) if honest or choice.random() < 0.95 else choice.choice(ODD_VERSIONS)

    def _needed(self, maker: Maker, served: Served, version: int) -> str:
        """Query parameters without which nothing is answered."""
        parameters = served.operation.queries(version) if served.operation else []
        return "&".join(f"{p.name}={quote(str(maker.value(p.schema, p.name)))}" for p in parameters if p.required)

    def _query(self, choice: random.Random, maker: Maker, served: Served, version: int) -> str:
        luck = choice.random()
        if luck < (0.3 if served.method == "GET" else 0.8):
            return ""
        if luck > 0.9:
            known = self.ids.get(served.path) or [UUID]
            return choice.choice((*ODD_QUERIES, f"marker={known[-1]}", f"marker={known[-1]}&{'sort_key=id&' * 900}"))
        parameters = served.operation.queries(version) if served.operation else []
        given = [choice.choice(parameters) for _ in range(choice.randint(1, 3))] if parameters else []
        pairs = []
        for parameter in given:
            value = maker.value(parameter.schema, parameter.name)
            for one in value[:2] if isinstance(value, list) else [value]:
                spoilt = choice.random() < 0.3
                text = maker.spoilt(one).decode("utf-8", "replace")[:2000] if spoilt else str(one)
                pairs.append(f"{quote(parameter.name)}={quote(text)}")
        # Many of them are a question too; how many a request may hold is for the front door to say.
        return "&".join(pairs * (choice.choice((1, 1, 1, 1, 1, 2, 300, 900)) if pairs else 0))

    def _headers(self, choice: random.Random, served: Served) -> tuple[tuple[str, str], ...]:
        if self.room != "identity" or "auth" not in served.path:
            return ()
        return (("x-subject-token", choice.choice(("member", "x" * 300, "gAAAA", "\xff"))),)


@contextmanager
def furnished(room: str, place: Path, seed: int) -> Iterator[Asker]:
    """Somebody to ask one room of a cloud in which most things are there."""
    loop = VirtualLoop()
    with drawn_from(random.Random(seed).getrandbits):
        target = Target(loop, place)
        target.do(target.build())
        folder = contracts()
        known = Contract(room, folder) if folder and room in FILES else None
        asker = Asker(target, room, known)
        asker.furnish(seed)
        try:
            yield asker
        finally:
            target.close()
            loop.close()


def _stem(name: str) -> str:
    """`network_id`, `networkRef` and `networks` as one word."""
    word = re.sub(r"(?i)(_?ids?|_?uuid|_?ref|_?name)$", "", name.replace("-", "_").removeprefix("os_"))
    return word.lower().removesuffix("s").removesuffix("_")


def declared(endpoint: Endpoint) -> Body | None:
    """What may be sent there, where it is declared; network's nouns read their bodies themselves."""
    if isinstance(endpoint.body, Body):
        return endpoint.body
    for noun in NOUNS:
        if endpoint.method == "POST" and endpoint.path == noun.path:
            return Body(noun.one, noun.fields)
        if endpoint.method == "PUT" and endpoint.path == f"{noun.path}/{{{noun.key}}}":
            return Body(noun.one, noun.fields, verb="update")
    return None
