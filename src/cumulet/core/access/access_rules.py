"""Access rules: an application credential may be limited to chosen requests; every service holds to them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

_WILD = re.compile(r"\*\*|\*|\{[^{}/]*\}")


@lru_cache(maxsize=4096)
def pattern(path: str) -> re.Pattern[str]:
    """`/v2.1/servers/*`: a star or a {name} is one part of a path, two stars are all that follows."""
    places = _WILD.findall(path)
    texts = [re.escape(text) for text in _WILD.split(path)]
    wild = [".+" if place == "**" else "[^/]+" for place in places]
    return re.compile("".join(text + place for text, place in zip(texts, [*wild, ""], strict=True)))


def permits(rules: Iterable[Mapping[str, str]], service: str, method: str, paths: Iterable[str]) -> bool:
    """Does one of the rules allow this request? `paths` are the names under which the service knows its address."""
    asked = list(paths)
    return any(
        rule["service"] == service
        and rule["method"] == method
        and any(pattern(rule["path"]).fullmatch(path) for path in asked)
        for rule in rules
    )
