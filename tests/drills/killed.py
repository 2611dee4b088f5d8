"""The API, agents, guests and whole nodes are killed while people use the cloud: nothing is stuck, nothing leaks."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from openstack.connection import Connection

from tests.drills.drill import Scene, Watch, leaving_nothing
from tests.drills.lost_node import QEMU
from tests.drills.people import Person
from tests.support.boot_sector import boot_disk
from tests.support.real_cloud import eventually

PEOPLE = 4
CALM_SECONDS = 300.0
DEMO = "cumulet-demo"
SERVERS_SETTLED = {
    "ACTIVE", "SHUTOFF", "PAUSED", "SUSPENDED", "ERROR", "VERIFY_RESIZE", "SHELVED_OFFLOADED",
}  # fmt: skip
VOLUMES_SETTLED = {"available", "in-use", "reserved", "error", "error_extending"}
OTHERS_SETTLED = {"available", "error", "active", "killed", "ACTIVE", "DOWN"}


def run(scene: Scene) -> None:
    client, demo = scene.client(), scene.cloud.client(DEMO)
    list(demo.network.security_groups())  # the default one is made at the first look, and it stays
    given = {kind: {one.id for one in found} for kind, found in everything(demo)}
    with leaving_nothing(scene):
        image = demo.image.create_image(name="small", disk_format="raw", container_format="bare", data=boot_disk())
        people = [
            Person(
                scene.cloud.client(DEMO),
                scene.client(),
                image.id,
                number,
                scene.seed,
                -(-scene.operations // PEOPLE),
            )
            for number in range(PEOPLE)
        ]
        scene.say(
            f"{PEOPLE} people do {scene.operations} things with servers, volumes and networks (seed {scene.seed})"
        )
        kills = kill_meanwhile(scene, people)
        report(scene, people, kills)
        watch = Watch()
        eventually("everything is settled", lambda: not unsettled(demo, given), CALM_SECONDS)
        scene.say(f"{watch} later everything is as its owner wished, or has a fault that says why:")
        scene.say(f"  {inventory(demo, given)}")
        watch = Watch()
        delete_all(client, demo, given)
        scene.say(f"all of it was deleted within {watch}")


def kill_meanwhile(scene: Scene, people: list[Person]) -> Counter[str]:
    """What was ended, and how often, until all people have done what they wanted."""
    chance, kills, over = random.Random(scene.seed), Counter[str](), threading.Event()
    for person in people:
        person.start()
    threading.Thread(target=lambda: ([person.join() for person in people], over.set()), daemon=True).start()
    while not over.wait(chance.uniform(0.5, 4)):
        (kill,) = chance.choices((kill_api, kill_agent, kill_guest, lose_power), (6, 6, 3, 1))
        kills[kill(scene, chance)] += 1
    return kills


def kill_api(scene: Scene, chance: random.Random) -> str:
    scene.cloud.kill("serve")
    scene.cloud.up()
    return "the API"


def kill_agent(scene: Scene, chance: random.Random) -> str:
    name = chance.choice(scene.names)
    if name == scene.names[0]:
        scene.cloud.kill("node")
        scene.cloud.up()
    else:
        scene.other(name).kill_agent()
        scene.other(name).start_agent()
    return f"{name}'s agent"


def kill_guest(scene: Scene, chance: random.Random) -> str:
    """A process that runs a guest, or that carries a volume from node to node."""
    program = chance.choice((QEMU, "qemu-storage-daemon"))
    host, _ = scene.home(chance.choice(scene.names))
    running = host.running(program)
    if not running:
        return f"no {program}"
    host.run("kill", "-9", str(chance.choice(running)), check=False)
    return f"one {program}"


def lose_power(scene: Scene, chance: random.Random) -> str:
    far = chance.choice(scene.rack.others)
    far.lose_power()
    far.start_agent()
    return f"all of {far.name}"


def report(scene: Scene, people: list[Person], kills: Counter[str]) -> None:
    done, answers = Counter[str](), Counter[str]()
    for person in people:
        done += person.done
        answers += person.answers
    scene.say(f"killed meanwhile: {', '.join(f'{name} {n} times' for name, n in kills.most_common())}")
    scene.say(f"of {done.total()} things: {', '.join(f'{name} {n}' for name, n in answers.most_common())}")
    scene.say(f"  {', '.join(f'{name} {n}' for name, n in done.most_common())}")
    broken = [words for person in people for words in person.broken]
    assert not broken, "\n".join(broken)


def everything(client: Connection) -> list[tuple[str, list[Any]]]:
    """All that a project has, in the order in which it can be deleted."""
    storage, network = client.block_storage, client.network
    return [
        ("server", list(client.compute.servers())),
        ("floating IP", list(network.ips())),
        ("router", list(network.routers())),
        ("port", [port for port in network.ports() if not port.device_owner.startswith("network:")]),
        ("network", list(network.networks(is_router_external=False))),
        ("group", list(network.security_groups())),
        ("backup", list(storage.backups())),
        ("snapshot", list(storage.snapshots())),
        ("volume", list(storage.volumes())),
        ("image", list(client.image.images(owner=client.current_project_id))),
    ]


def made(client: Connection, given: dict[str, set[str]]) -> Iterable[tuple[str, Any]]:
    """What was not there before."""
    return [(kind, one) for kind, found in everything(client) for one in found if one.id not in given[kind]]


def unsettled(client: Connection, given: dict[str, set[str]]) -> list[str]:
    """What is still under way, or has failed without a reason."""
    return [f"{kind} {one.id} {one.status}" for kind, one in made(client, given) if not is_settled(kind, one)]


def is_settled(kind: str, one: Any) -> bool:
    match kind:
        case "server":
            because = one.status != "ERROR" or bool(one.fault)
            return one.status in SERVERS_SETTLED and not one.task_state and because
        case "volume":
            return one.status in VOLUMES_SETTLED
        case "floating IP":
            return bool(one.status == ("ACTIVE" if one.port_id else "DOWN"))
        case "backup":
            return one.status == "available" or (one.status == "error" and bool(one.fail_reason))
        case "router" | "network":
            return bool(one.status == "ACTIVE")
        case "group" | "port":
            return True
    return one.status in OTHERS_SETTLED


def inventory(client: Connection, given: dict[str, set[str]]) -> str:
    counts = Counter(f"{kind} {getattr(one, 'status', None) or ''}".strip() for kind, one in made(client, given))
    return ", ".join(f"{n} {name}" for name, n in sorted(counts.items())) or "nothing"


def delete_all(client: Connection, demo: Connection, given: dict[str, set[str]]) -> None:
    storage, network = demo.block_storage, demo.network
    verbs: dict[str, Callable[[Any], Any]] = {
        "server": lambda one: demo.compute.delete_server(one.id),
        "floating IP": lambda one: network.delete_ip(one.id),
        "router": lambda one: delete_router(demo, one),
        "port": lambda one: network.delete_port(one.id),
        "network": lambda one: delete_network(demo, one),
        "group": lambda one: network.delete_security_group(one.id),
        "backup": lambda one: storage.delete_backup(one.id),
        "snapshot": lambda one: storage.delete_snapshot(one.id),
        "volume": lambda one: storage.delete_volume(one.id),
        "image": lambda one: demo.image.delete_image(one.id),
    }
    for kind, delete in verbs.items():
        for one in of_kind(demo, given, kind):
            delete(one)
        eventually(f"every {kind} is gone", lambda kind=kind: not of_kind(demo, given, kind), CALM_SECONDS)  # type: ignore[misc]
    for message in client.block_storage.get("/messages", microversion="3.5").json()["messages"]:
        client.block_storage.delete(f"/messages/{message['id']}", microversion="3.5")


def of_kind(client: Connection, given: dict[str, set[str]], kind: str) -> list[Any]:
    return [one for its, one in made(client, given) if its == kind]


def delete_router(client: Connection, router: Any) -> None:
    part(client, device_id=router.id)
    client.network.delete_router(router.id)


def delete_network(client: Connection, network: Any) -> None:
    part(client, network_id=network.id)
    client.network.delete_network(network.id)


def part(client: Connection, **where: str) -> None:
    """Routers and networks, of which one was there before perhaps."""
    for port in client.network.ports(device_owner="network:router_interface", **where):
        client.network.remove_interface_from_router(port.device_id, port_id=port.id)
