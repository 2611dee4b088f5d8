"""The smallest guest: one sector that counts its boots, says so on the serial line, and obeys (see boot_sector.S)."""

from __future__ import annotations

_CODE = bytes.fromhex(
    "fafc31c08ed88ec08ed0bc007cc7060800b07ca30a00b6008916d17cb80102b90200bb0080cd13fe060080b80103b902"
    "008b16d17cbb0080cd13bee97ce88500bed37ce87f00a00080e86d00ba0206ed80cc01effbf4ba0006edf6c401754266"
    "31c9bad00c6689c866efbac40c66ed6685c07405bac80c66ef4183f93072e3bafd03eca80174cebaf803ec3c717412fe"
    "06d07cbeda7ce82c00a0d07ce81a00ebb4bedf7ce81e00ba0406b80020effaf460bee47ce80e0061cf0430e80200b00a"
    "baf803eec3ac84c07405e8f3ffebf6c300000020626f6f7420006b657920006279650a006e6d690a00"
)
_POWER_BUTTON = 0x52
"""Where the code enables the power button."""
_DISK_SIZE = 1 << 20


def boot_disk(word: str = "guest", *, deaf: bool = False) -> bytes:
    """A raw disk. At each boot its guest says `<word> boot <n>`; when it is asked to, `bye`, unless it is deaf.

    To each key it answers `key <n>`, but to `q` by turning itself off; to an interrupt `nmi`.
    """
    code = bytearray(_CODE + word.encode() + b"\0")
    if deaf:
        code[_POWER_BUTTON] = 0
    return (bytes(code).ljust(510, b"\0") + b"\x55\xaa").ljust(_DISK_SIZE, b"\0")
