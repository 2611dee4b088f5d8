"""What QEMU's last words on KVM mean."""

from __future__ import annotations

import pytest

from cumulet.drivers.hypervisor.qemu.refusals import FORBIDDEN, NO_DEVICE, read

ASSERTION = (
    "qemu-system-x86_64: error: failed to set MSR 0x10a to 0x69\n"
    "qemu-system-x86_64: ../../target/i386/kvm/kvm.c:3183: kvm_buf_set_msrs: Assertion `ret == n' failed."
)


@pytest.mark.parametrize(
    ("words", "cause", "remedy"),
    [
        (ASSERTION, "(MSR 0x10a)", "nested"),
        ("kvm_buf_set_msrs: Assertion failed", "(MSR)", "nested"),
        ("qemu-system-x86_64 -nodefaults: did not end within 10 s and was killed", "first instructions", "nested"),
        ("ioctl(KVM_CREATE_VM) failed: 16 Device or resource busy", "makes no machine", "nested"),
        (
            "Could not access KVM kernel module: No such device\nfailed to initialize kvm",
            "no KVM behind it",
            "modprobe",
        ),
        ("Could not access KVM kernel module: No such file or directory", NO_DEVICE.cause, "firmware"),
        ("Could not access KVM kernel module: Permission denied", FORBIDDEN.cause, "usermod"),
        ("something\nnew", "said: something new", "bare metal"),
    ],
)
def test_a_cause_and_a_remedy_are_named(words: str, cause: str, remedy: str) -> None:
    found = read(words)
    assert cause in found.cause
    assert "Assertion" not in found.cause
    assert remedy in found.remedy
