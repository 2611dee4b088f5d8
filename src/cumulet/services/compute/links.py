"""The two links of a noun, and times as compute writes them."""

from __future__ import annotations

from cumulet.core.web.call import Call


def links(call: Call, collection: str, key: str) -> list[dict[str, str]]:
    """`self` with the major version, `bookmark` without."""
    return [
        {"rel": "self", "href": f"{call.base}/{collection}/{key}"},
        {"rel": "bookmark", "href": f"{call.base.rpartition('/')[0]}/{collection}/{key}"},
    ]


def bookmark(call: Call, collection: str, key: str) -> list[dict[str, str]]:
    """The one link by which a noun refers to another."""
    return [{"rel": "bookmark", "href": f"{call.base.rpartition('/')[0]}/{collection}/{key}"}]


def ref_id(ref: str) -> str:
    """The id in a reference: an id as it is, or the last part of a URL."""
    return ref.rstrip("/").rpartition("/")[2]
