"""A node that the API does not hear while its guests run on: they lose their disks, and end when it is heard again."""

from __future__ import annotations

from tests.drills.drill import Scene, Watch, leaving_nothing
from tests.drills.guests import delete_volumes, from_volume, read, volume_on, write
from tests.drills.lost_node import CLEAN_SECONDS, NOTICED_SECONDS, QEMU, evacuate, is_up, left_on
from tests.support.real_cloud import eventually
from tests.support.tenants import Tenant

LOOKS = 8
BOOT = "cat /proc/sys/kernel/random/boot_id"
WRITER = (
    "sudo sh -c 'n=0; while :; do n=$((n+1)); echo old$n | dd of=/dev/vdb conv=fsync,sync; sleep 0.2; done "
    "</dev/null >/dev/null 2>&1 &'"
)
"""Of a guest that does not know that it is lost."""


def run(scene: Scene) -> None:
    with leaving_nothing(scene):
        _cut_off(scene)


def _cut_off(scene: Scene) -> None:
    client, far = scene.client(), scene.other("far")
    data, root = volume_on(client, "near"), volume_on(client, "near", image_id=client.image.find_image("tiny").id)
    blue = Tenant(scene.cloud, client, "blue")
    server = blue.server("booted", availability_zone="nova:far", **from_volume(root))
    client.compute.create_volume_attachment(server, volume_id=data.id)
    address = blue.reachable(server)
    scene.cloud.ssh_answers(address)
    write(scene.cloud, address, 0, "before")
    boot = scene.cloud.ssh(address, BOOT)
    scene.cloud.ssh(address, WRITER)
    eventually("it writes", lambda: read(scene.cloud, address, 1) != ["before"])
    scene.say("on far runs a server whose two volumes lie on near; it writes without end")

    with far.unheard():
        written = read(scene.cloud, address, 1)
        eventually("it writes on", lambda: read(scene.cloud, address, 1) != written)
        scene.say("the API and far's agent do not reach each other any more; the guest writes on")
        service = next(client.compute.services(host="far", binary="nova-compute"))
        client.compute.update_service_forced_down(service, forced=True)
        scene.say("the operator says that far is down")
        evacuate(scene, client, blue, server)
        scene.say(f"it took SSH at its floating IP {scene.cloud.ssh_answers(address):.1f} s later")
        assert scene.cloud.ssh(address, BOOT) != boot, "that was the old guest"
        assert far.host.running(QEMU), "nobody can have told the old guest to end"
        left = read(scene.cloud, address, 1)
        write(scene.cloud, address, 0, "anew")
        for _ in range(LOOKS):
            assert read(scene.cloud, address, 1) == ["anew"], "the old guest writes on"
        scene.say(f"the old guest still runs on far; the last that it wrote was {left[0]!r}, and it writes no more")
    watch = Watch()
    client.compute.update_service_forced_down(service, forced=False)
    eventually("the node is heard again", lambda: is_up(client, "far"), NOTICED_SECONDS)
    eventually("the old guest has ended", lambda: not left_on(far), CLEAN_SECONDS)
    scene.say(f"the API hears far again; {watch} later the old guest has ended there")
    assert read(scene.cloud, address, 1) == ["anew"]
    blue.leave()
    delete_volumes(client, data, root)
