"""The argument list of QEMU says what was ordered, and nothing that an owner wrote can become another argument."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cumulet.contracts.machines import (
    Bus,
    DeviceType,
    DiskSpec,
    GuestData,
    ImageRef,
    MachineSpec,
    NicSpec,
    Power,
    VolumeConnection,
)
from cumulet.drivers.hypervisor.base import Unfit
from cumulet.drivers.hypervisor.qemu import devices, volumes
from cumulet.drivers.hypervisor.qemu.command import Flash, Launch, Sockets, command, keyval, versioned
from cumulet.drivers.hypervisor.qemu.devices import Disk, Nic, boot_order, numbered

ID = "5f1c3a52-6ac7-4be1-9d5f-0d5a2f4d7a01"
SOCKETS = Sockets(
    monitor=Path("/run/m,1/qmp"),
    vnc=Path("/run/m,1/vnc"),
    serial=Path("/run/m,1/tty"),
    console_log=Path("/run/m,1/console.log"),
    memory=Path("/run/m,1/mem"),
    disks=Path("/run/m,1/nbd"),
    agent=Path("/run/m,1/qga"),
)
ROOT = DiskSpec(id="root", device="vda", image=ImageRef(id="i", sha512="s", disk_format="qcow2", size=1))
PORT = NicSpec(port_id="port-1", network_id="net-1", mac="FA:16:3E:00:00:01", mtu=1450)
SPEC = MachineSpec(
    id=ID,
    wanted=Power.RUNNING,
    vcpus=2,
    memory_mib=512,
    disks=(ROOT,),
    nics=(PORT,),
    guest=GuestData(hostname="maple", name="Maple, -device evil", project_id="forest"),
)
change = msgspec.structs.replace


def launch(spec: MachineSpec, **changes: Any) -> Launch:
    numbers = numbered(spec, {})
    places = boot_order(spec.disks, False)
    disks = tuple(
        Disk(
            numbers[disk.id],
            disk,
            {"driver": "qcow2", "file": {"driver": "file"}},
            numbers[disk.id],
            places.get(disk.id),
        )
        for disk in spec.disks
    )
    nics = tuple(Nic(numbers[nic.port_id], nic) for nic in spec.nics)
    fields: dict[str, Any] = {
        "machine_type": "pc-q35-7.2",
        "accelerator": "tcg",
        "sockets": SOCKETS,
        "disks": disks,
        "nics": nics,
        "numbers": numbers,
        "tap_fds": tuple(range(10, 10 + len(nics))),
    }
    return Launch(**{**fields, **changes})


def argv(spec: MachineSpec = SPEC, **changes: Any) -> list[str]:
    return command("qemu-system-x86_64", spec, launch(spec, **changes))


def values(arguments: list[str], option: str) -> list[str]:
    return [value for name, value in itertools.pairwise(arguments) if name == option]


def device(arguments: list[str], id: str) -> dict[str, Any]:
    return next(found for text in values(arguments, "-device") if (found := json.loads(text))["id"] == id)


def test_a_guest_with_an_agent_has_a_line_to_it() -> None:
    arguments = argv(change(SPEC, guest_agent=True))
    assert keyval("socket", id="agent", path="/run/m,1/qga", server="on", wait="off") in values(arguments, "-chardev")
    assert device(arguments, "agent-port")["name"] == "org.qemu.guest_agent.0"
    assert not any("agent" in word for word in argv())


def test_the_whole_machine() -> None:
    arguments = argv()
    assert arguments[0] == "qemu-system-x86_64"
    assert {"-nodefaults", "-no-user-config", "-no-shutdown"} <= set(arguments)
    assert "-S" not in arguments
    assert values(arguments, "-sandbox") == ["on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"]
    assert values(arguments, "-machine") == ["pc-q35-7.2,dump-guest-core=off,vmport=off"]
    assert values(arguments, "-smp") == ["2,sockets=2,cores=1,threads=1"]
    assert values(arguments, "-m") == ["size=512M"]
    assert values(arguments, "-netdev") == ["tap,id=net2,fd=10"]
    assert device(arguments, "dev-net2") == {
        "driver": "virtio-net-pci",
        "id": "dev-net2",
        "netdev": "net2",
        "mac": "fa:16:3e:00:00:01",
        "bus": "port2",
        "romfile": "",
        "host_mtu": 1450,
    }
    assert device(arguments, "dev-disk1") == {
        "driver": "virtio-blk-pci",
        "id": "dev-disk1",
        "drive": "disk1",
        "bus": "port1",
        "bootindex": 0,
    }
    assert json.loads(values(arguments, "-blockdev")[0])["node-name"] == "disk1"


def test_guests_recognise_their_cloud() -> None:
    smbios = values(argv(), "-smbios")[0]
    assert smbios.startswith("type=1,manufacturer=OpenStack Foundation,product=OpenStack Nova,")
    assert smbios.endswith(f"serial={ID},uuid={ID},family=Virtual Machine")


def test_a_comma_in_a_path_stays_in_the_path() -> None:
    arguments = argv()
    assert keyval("socket", path="/a,b") == "socket,path=/a,,b"
    assert values(arguments, "-vnc") == ["unix:/run/m,,1/vnc"]
    assert any("path=/run/m,,1/qmp" in value for value in values(arguments, "-chardev"))


def test_nothing_that_the_owner_wrote_is_an_argument() -> None:
    assert not any("evil" in argument for argument in argv())


def test_every_port_is_a_function_of_its_own() -> None:
    ports = [found for text in values(argv(), "-device") if (found := json.loads(text))["driver"] == "pcie-root-port"]
    assert len({port["addr"] for port in ports}) == len({port["chassis"] for port in ports}) == devices.PORTS
    assert [port["addr"] for port in ports if port["multifunction"]] == ["0x10.0", "0x11.0", "0x12.0", "0x13.0"]


def test_kvm_gives_the_processor_of_the_host() -> None:
    assert values(argv(accelerator="kvm"), "-cpu") == ["host"]
    assert values(argv(accelerator="kvm"), "-accel") == ["kvm"]
    assert values(argv(), "-cpu") == ["max"]
    assert values(argv(change(SPEC, cpu_model="Skylake-Client-v1")), "-cpu") == ["Skylake-Client-v1"]


def test_going_on_from_saved_memory() -> None:
    arguments = argv(memory_fd=4)
    assert values(arguments, "-incoming") == ["fd:4"]
    assert "-S" in arguments


def test_uefi_has_its_own_variables() -> None:
    arguments = argv(flash=Flash(code="/usr/share/code,fd", variables="/m/flash.fd", secure=True))
    assert values(arguments, "-machine") == [
        "pc-q35-7.2,dump-guest-core=off,vmport=off,pflash0=flash-code,pflash1=flash-variables,smm=on"
    ]
    code, variables = (json.loads(text) for text in values(arguments, "-blockdev")[:2])
    assert (code["read-only"], code["file"]["filename"]) == (True, "/usr/share/code,fd")
    assert (variables["read-only"], variables["file"]["filename"]) == (False, "/m/flash.fd")


def test_old_machines_have_one_bus() -> None:
    arguments = argv(machine_type="pc-i440fx-7.2")
    assert device(arguments, "dev-disk1")["bus"] == "pci.0"
    assert not any("pcie" in argument for argument in arguments)


@pytest.mark.parametrize(
    ("asked", "version", "made"),
    [
        ("q35", 7_002_022, "pc-q35-7.2"),
        ("pc", 10_001_000, "pc-i440fx-10.1"),
        ("pc-q35-6.2", 7_002_022, "pc-q35-6.2"),
        ("pc-i440fx-6.2", 7_002_022, "pc-i440fx-6.2"),
    ],
)
def test_machine_types_are_pinned_to_a_version(asked: str, version: int, made: str) -> None:
    assert versioned(asked, version) == made


@pytest.mark.parametrize("asked", ["", "q35,accel=kvm", "virt", "pc-q35-7.2 ", "none"])
def test_unknown_machine_types(asked: str) -> None:
    with pytest.raises(Unfit):
        versioned(asked, 7_002_022)


@pytest.mark.parametrize(
    "changes",
    [
        {"cpu_model": "host,+svm"},
        {"cpu_model": "-x"},
        {"vcpus": 0},
        {"vcpus": 256},
        {"memory_mib": 0},
        {"nics": (change(PORT, mac="fa:16:3e:00:00:01,x=y"),)},
        {"nics": (change(PORT, model="ne2k_pci"),)},
        {"disks": (change(ROOT, serial="x,y"),)},
    ],
)
def test_what_no_machine_can_have(changes: dict[str, Any]) -> None:
    with pytest.raises(Unfit):
        argv(change(SPEC, **changes))


def test_devices_keep_their_numbers() -> None:
    before = numbered(SPEC, {})
    assert (before["root"], before["port-1"]) == (1, 2)
    volume = DiskSpec(id="volume-1", device="vdb", volume=VolumeConnection(volume_id="volume-1"))
    more = numbered(change(SPEC, disks=(ROOT, volume)), before)
    assert (more["root"], more["port-1"], more["volume-1"]) == (1, 2, 3)
    fewer = numbered(change(SPEC, disks=(ROOT, volume), nics=()), more)
    assert (fewer["root"], fewer["volume-1"]) == (1, 3)
    assert "port-1" not in fewer


def test_room_for_devices_is_bounded() -> None:
    disks = tuple(DiskSpec(id=f"disk-{n}", device="") for n in range(30))
    assert max(numbered(change(SPEC, disks=disks, nics=()), {}).values()) == devices.PORTS - 1
    with pytest.raises(Unfit, match="30"):
        numbered(change(SPEC, disks=disks), {})
    with pytest.raises(Unfit, match="same id"):
        numbered(change(SPEC, disks=(ROOT, ROOT)), {})


def test_scsi_disks_bring_their_controller() -> None:
    spec = change(SPEC, disks=(ROOT, DiskSpec(id="data", device="sda", bus=Bus.SCSI, serial="4711")))
    arguments = argv(spec)
    assert device(arguments, "scsi") == {"driver": "virtio-scsi-pci", "id": "scsi", "bus": "port4"}
    assert device(arguments, "dev-disk2") == {
        "driver": "scsi-hd",
        "id": "dev-disk2",
        "drive": "disk2",
        "bus": "scsi.0",
        "lun": 2,
        "serial": "4711",
    }


def test_a_config_drive_takes_no_name_from_volumes() -> None:
    (config,) = devices.config_disks(change(SPEC, config_drive=True))
    assert config.bus is Bus.SCSI
    assert "scsi" in numbered(change(SPEC, config_drive=True), {})
    given = DiskSpec(id="config", device="hdd", bus=Bus.IDE)
    assert devices.config_disks(change(SPEC, config_drive=True, disks=(ROOT, given))) == [given]
    assert devices.config_disks(SPEC) == []


def test_ide_disks_have_few_places() -> None:
    def ide(number: int, machine_type: str) -> dict[str, object]:
        disk = DiskSpec(id="d", device="hda", bus=Bus.IDE, device_type=DeviceType.CDROM)
        return devices.disk_device(Disk(number, disk, {}, number), machine_type)

    assert ide(1, "pc-q35-7.2")["bus"] == "ide.1"
    assert (ide(31, "pc-q35-7.2")["bus"], ide(31, "pc-q35-7.2")["driver"]) == ("ide.5", "ide-cd")
    assert (ide(31, "pc-i440fx-7.2")["bus"], ide(31, "pc-i440fx-7.2")["unit"]) == ("ide.1", 1)
    with pytest.raises(Unfit):
        ide(5, "pc-q35-7.2")


def test_the_order_of_booting() -> None:
    first, second = change(ROOT, boot_index=1), DiskSpec(id="data", device="vdb", boot_index=0)
    assert boot_order((first, second), False) == {"data": 0, "root": 1}
    assert boot_order((ROOT, change(second, boot_index=-1)), False) == {"root": 0}
    assert boot_order((first, second), True) == {"rescue": 0}
    assert boot_order((), False) == {}


def by_id(connection: VolumeConnection) -> str:
    return connection.volume_id


def test_an_encrypted_volume_names_its_key_and_no_other_volume_does() -> None:
    plain = VolumeConnection(volume_id="v")
    locked = change(plain, encrypted=True)
    file = {"driver": "file", "filename": "v"}
    assert volumes.source_of(plain, by_id, "s", RELAY) == {"driver": "qcow2", "file": file}
    assert volumes.source_of(locked, by_id, "s", RELAY) == {
        "driver": "qcow2",
        "encrypt": {"format": "luks", "key-secret": "s"},
        "file": file,
    }
    assert volumes.needs_secret(locked)
    assert not volumes.needs_secret(plain)


def test_secrets_come_before_the_disks_that_name_them() -> None:
    secrets: tuple[dict[str, object], ...] = ({"id": "master", "file": "/k,1"}, {"id": "secret5", "data": "x"})
    words = command("qemu", SPEC, launch(SPEC, secrets=secrets))
    places = [words.index("secret,id=master,file=/k,,1"), words.index("secret,id=secret5,data=x")]
    assert places == sorted(places)
    assert max(places) < words.index("-blockdev")


FAR = VolumeConnection(volume_id="v", protocol="nbd", host="192.0.2.1", port=10809, target="v")
RELAY = Path("/relays/5/run/nbd")


def test_volumes_by_address() -> None:
    nbd = change(FAR, secret="5e" * 32)
    iscsi = change(nbd, protocol="iscsi", target="iqn.2026-01.example:v")
    rbd = VolumeConnection(volume_id="v", protocol="rbd", encrypted=True)
    for way in (nbd, iscsi, rbd):
        assert volumes.source_of(way, by_id, "s", RELAY) == {
            "driver": "nbd",
            "server": {"type": "unix", "path": "/relays/5/run/nbd"},
            "export": "volume",
            "reconnect-delay": 30,
        }
        assert not volumes.needs_secret(way)


@pytest.mark.parametrize(
    "changes",
    [{"host": "a b"}, {"port": 0}, {"target": "../x y"}, {"protocol": "carrier-pigeon"}, {"secret": "a,b"}],
)
def test_addresses_that_are_none(changes: dict[str, Any]) -> None:
    nbd = change(FAR, secret="5e" * 32)
    with pytest.raises(Unfit):
        volumes.source_of(change(nbd, **changes), by_id, "s", RELAY)
