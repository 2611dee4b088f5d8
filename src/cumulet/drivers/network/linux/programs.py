"""Gives small programs to the kernel's traffic control: one system call for each, and one netlink message.

`tc` can do it too, but only from files, made by a compiler or kept in a file system of their own.
"""

from __future__ import annotations

import ctypes
import os
import platform
import socket
import struct
from collections.abc import Callable, Mapping, Sequence

from cumulet.drivers.network.linux.tagging import Hook

_BPF_CALL = {"x86_64": 321, "aarch64": 280}
_LOAD, _FOR_TRAFFIC_CONTROL = 5, 3
_NEW_FILTER, _ERROR = 44, 2
_REQUEST, _ACKNOWLEDGE, _CREATE = 0x1, 0x4, 0x400
_INGRESS = 0xFFFFFFF2
_KIND, _OPTIONS = 1, 2
_PROGRAM, _NAME, _FLAGS = 6, 7, 8
_ITS_ANSWER_IS_THE_VERDICT = 1
_ALL_PROTOCOLS = int.from_bytes(struct.pack("!H", 3), "little")
_libc = ctypes.CDLL(None, use_errno=True)


def placer(hooks: Sequence[Hook], index: Mapping[str, int]) -> Callable[[], None]:
    """What puts these programs in place, to be run inside their namespace. Raises OSError."""

    def place() -> None:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
            kernel.settimeout(5.0)
            for hook in hooks:
                program = _load(hook.program)
                try:
                    kernel.sendto(_message(hook, index[hook.device], program), (0, 0))
                    _refuse_failure(kernel.recv(4096), hook)
                finally:
                    os.close(program)

    return place


def _load(program: bytes) -> int:
    """A descriptor of the program, which the kernel has looked through."""
    code = ctypes.create_string_buffer(program, len(program))
    license_ = ctypes.create_string_buffer(b"Apache-2.0")
    attributes = struct.pack(
        "<IIQQIIQII",
        _FOR_TRAFFIC_CONTROL,
        len(program) // 8,
        ctypes.addressof(code),
        ctypes.addressof(license_),
        0,
        0,
        0,
        0,
        0,
    )
    given = ctypes.create_string_buffer(attributes, len(attributes))
    number = _BPF_CALL.get(platform.machine(), -1)
    descriptor: int = _libc.syscall(number, _LOAD, given, len(attributes))
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), f"the kernel takes no program: {os.strerror(ctypes.get_errno())}")
    return descriptor


def _message(hook: Hook, index: int, program: int) -> bytes:
    options = (
        _attribute(_PROGRAM, struct.pack("<I", program))
        + _attribute(_NAME, hook.name.encode() + b"\0")
        + _attribute(_FLAGS, struct.pack("<I", _ITS_ANSWER_IS_THE_VERDICT))
    )
    where = struct.pack("<BxxxiIII", 0, index, 1, _INGRESS, hook.place << 16 | _ALL_PROTOCOLS)
    body = where + _attribute(_KIND, b"bpf\0") + _attribute(_OPTIONS, options)
    return struct.pack("<IHHII", 16 + len(body), _NEW_FILTER, _REQUEST | _ACKNOWLEDGE | _CREATE, 1, 0) + body


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("<HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def _refuse_failure(answer: bytes, hook: Hook) -> None:
    (kind,) = struct.unpack_from("<H", answer, 4)
    (code,) = struct.unpack_from("<i", answer, 16)
    if kind != _ERROR or code:
        raise OSError(-code, f"{os.strerror(-code)}: the program {hook.name!r} on {hook.device}")
