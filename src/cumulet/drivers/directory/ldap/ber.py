"""BER, as far as LDAP uses it: tags of one byte, definite lengths."""

from __future__ import annotations

BOOLEAN, INTEGER, OCTETS, ENUMERATED, SEQUENCE, SET = 0x01, 0x02, 0x04, 0x0A, 0x30, 0x31


class Malformed(Exception):
    """The bytes are not what the protocol says."""


def tlv(tag: int, *parts: bytes) -> bytes:
    """A tag, the length of the parts, and the parts."""
    body = b"".join(parts)
    size = len(body)
    if size < 0x80:
        return bytes((tag, size)) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + body


def integer(value: int, tag: int = INTEGER) -> bytes:
    return tlv(tag, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def boolean(value: bool, tag: int = BOOLEAN) -> bytes:
    return tlv(tag, b"\xff" if value else b"\x00")


def octets(value: str | bytes, tag: int = OCTETS) -> bytes:
    return tlv(tag, value.encode() if isinstance(value, str) else value)


def number(value: bytes) -> int:
    return int.from_bytes(value, "big", signed=True)


class Reader:
    """The elements of some bytes, one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def __bool__(self) -> bool:
        return self._place < len(self._data)

    def next(self) -> tuple[int, bytes]:
        """Tag and value of the next element. Raises Malformed."""
        data, place = self._data, self._place
        if place + 2 > len(data):
            raise Malformed("an element without a length")
        size, start = data[place + 1], place + 2
        if size & 0x80:
            start += size & 0x7F
            size = int.from_bytes(data[place + 2 : start], "big")
        end = start + size
        if end > len(data) or start > len(data):
            raise Malformed("an element longer than what holds it")
        self._place = end
        return data[place], data[start:end]

    def take(self, tag: int) -> bytes:
        """The value of the next element, which must have this tag. Raises Malformed."""
        found, value = self.next()
        if found != tag:
            raise Malformed(f"an element {found:#x} where {tag:#x} belongs")
        return value
