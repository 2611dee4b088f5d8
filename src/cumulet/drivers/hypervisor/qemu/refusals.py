"""Why KVM does not run machines here, from the words with which QEMU gives up. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple


class Refusal(NamedTuple):
    """A cause, and what its owner can do about it."""

    cause: str
    remedy: str


NO_DEVICE = Refusal(
    "there is no /dev/kvm",
    "turn on virtualization in the firmware, and load the kernel's module (modprobe kvm_intel or kvm_amd); the host of "
    "a virtual machine must offer nested virtualization; a container must be given the device",
)
FORBIDDEN = Refusal(
    "/dev/kvm may not be opened by this user", "let him join the group that owns it: usermod --append --groups kvm NAME"
)
_NESTED = (
    "have the host of this virtual machine offer nested virtualization whole, with the processor passed through (-cpu "
    "host), or run on bare metal"
)
_KNOWN = (
    (r"failed to (set|get) MSR|kvm_buf_[sg]et_msrs", Refusal(
        "/dev/kvm is there, but the host below it refuses to set a register of the processor that it shows (MSR{})",
        _NESTED,
    )),
    (r"Could not access KVM kernel module: No such file", NO_DEVICE),
    (r"Could not access KVM kernel module: Permission denied", FORBIDDEN),
    (r"Could not access KVM kernel module|failed to initialize kvm", Refusal(
        "/dev/kvm is there, but no KVM behind it", NO_DEVICE.remedy,
    )),
    (r"KVM_CREATE_VM|ioctl\(KVM_CREATE", Refusal("the kernel's KVM makes no machine", _NESTED)),
    (r"timed out|did not end in time|was killed", Refusal(
        "/dev/kvm is there, but a machine on it does not get through its first instructions", _NESTED,
    )),
    (r"Cannot allocate memory", Refusal("this host has too little memory free to try it", "free some memory")),
)  # fmt: skip
_REGISTER = re.compile(r"MSR (0x[0-9a-f]+)")


def read(words: str) -> Refusal:
    """What QEMU's last words mean; words that nobody knows are given as they are, in one line."""
    for pattern, refusal in _KNOWN:
        if re.search(pattern, words):
            register = _REGISTER.search(words)
            return refusal._replace(cause=refusal.cause.replace("{}", f" {register[1]}" if register else ""))
    return Refusal(f"QEMU ended on KVM and said: {' '.join(words.split())[:300]}", _NESTED)
