"""From a path to the endpoints declared there, in one walk over its parts."""

from __future__ import annotations

from collections.abc import Sequence

from cumulet.core.web.resource import Endpoint


class _Node:
    __slots__ = ("endpoints", "fixed", "name", "named")

    def __init__(self) -> None:
        self.fixed: dict[str, _Node] = {}
        self.named: _Node | None = None
        self.name = ""
        self.endpoints: dict[str, list[tuple[Endpoint, tuple[str, ...]]]] = {}


class Router:
    """A tree of path parts. A fixed part wins over a named one; `{rest…}` at the end takes all that follows.

    With `hyphens`, a fixed part may be written with hyphens or underscores, as one likes.
    """

    def __init__(self, *, hyphens: bool = False) -> None:
        self._root = _Node()
        self._hyphens = hyphens

    def add(self, endpoint: Endpoint, prefix: str = "") -> None:
        node = self._root
        names: list[str] = []
        for part in (prefix + endpoint.path).split("/"):
            if not part:
                continue
            if part.startswith("{"):
                names.append(part.strip("{}"))
                if node.named is None:
                    node.named = _Node()
                node = node.named
            else:
                node = node.fixed.setdefault(self._spelt(part), _Node())
        node.endpoints.setdefault(endpoint.method, []).append((endpoint, tuple(names)))

    def find(self, parts: Sequence[str]) -> tuple[dict[str, list[tuple[Endpoint, tuple[str, ...]]]], list[str]] | None:
        """The endpoints at a path by method, with the values of its named parts; None: there is nothing."""
        return self._walk(self._root, parts, 0, [])

    def _walk(
        self, node: _Node, parts: Sequence[str], place: int, values: list[str]
    ) -> tuple[dict[str, list[tuple[Endpoint, tuple[str, ...]]]], list[str]] | None:
        if place == len(parts):
            return (node.endpoints, values) if node.endpoints else None
        child = node.fixed.get(self._spelt(parts[place]))
        if child is not None:
            found = self._walk(child, parts, place + 1, values)
            if found:
                return found
        if node.named is not None:
            return self._walk(node.named, parts, place + 1, [*values, parts[place]])
        return None

    def _spelt(self, part: str) -> str:
        return part.replace("_", "-") if self._hyphens else part
