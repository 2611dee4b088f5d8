"""The real database and message servers that tests run over: plain processes on loopback, with throwaway data.

They come from Debian's packages and are never started as services. Each belongs to one `with` block: it starts on a
free port with its data in memory where the machine allows, and is gone, data and all, when the block ends.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.certificates import make_certificate
from tests.support.started import START_LIMIT, DidNotStart, Started, started

PASSWORD = "only-for-tests"
ROOM_NEEDED = 1 << 30


DIRECTORY = Path(__file__).parent / "directory"


@dataclass(frozen=True, slots=True)
class Directory:
    """Where a directory listens, and the certificate of who vouches for it."""

    url: str
    tls_url: str
    ca: Path

    def change(self, ldif: str) -> None:
        """Add, change or remove entries, as the directory's own administrator would."""
        subprocess.run(
            ["ldapmodify", "-x", "-H", self.url, "-D", "cn=root,dc=example,dc=org", "-w", PASSWORD],
            input=ldif.encode(),
            check=True,
            capture_output=True,
            timeout=START_LIMIT,
        )


@contextmanager
def postgresql() -> Iterator[str]:
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    with _folder("postgresql", owner="postgres") as folder:
        data, password_file, port = folder / "data", folder / "password", free_port()
        password_file.write_text(PASSWORD)
        _run(
            [
                programs / "initdb",
                f"--pgdata={data}",
                "--username=cumulet",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            ],
            user="postgres",
        )
        # Nothing here has to survive a power cut.
        options = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": "",
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "max_connections": 200,
        }
        arguments = [f"--{name}={value}" for name, value in options.items()]
        with _running(
            "PostgreSQL", [programs / "postgres", "-D", data, *arguments], user="postgres", folder=folder
        ) as server:
            address = ["--host=127.0.0.1", f"--port={port}"]
            server.wait_until(lambda: _succeeds([programs / "pg_isready", "--quiet", *address]))
            _run(
                [programs / "createdb", *address, "--username=cumulet", "cumulet"],
                user="postgres",
                environment={"PGPASSWORD": PASSWORD},
            )
            yield f"postgresql://cumulet:{PASSWORD}@127.0.0.1:{port}/cumulet"


@contextmanager
def mariadb() -> Iterator[str]:
    with _folder("mariadb", owner="mysql") as folder:
        data, first_statements, port = folder / "data", folder / "first.sql", free_port()
        data.mkdir()
        _give(data, "mysql")
        # As Debian configures it: a server whose comparison ignores case is what an operator has.
        first_statements.write_text(
            "CREATE DATABASE cumulet CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;\n"
            f"CREATE USER cumulet@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
            "GRANT ALL ON cumulet.* TO cumulet@'127.0.0.1';\n"
        )
        _run(
            [
                "mariadb-install-db",
                "--no-defaults",
                f"--datadir={data}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                "--skip-name-resolve",
            ],
            user="mysql",
        )
        command = [
            "mariadbd",
            "--no-defaults",
            f"--datadir={data}",
            "--bind-address=127.0.0.1",
            f"--port={port}",
            f"--socket={folder / 'socket'}",
            f"--pid-file={folder / 'pid'}",
            f"--init-file={first_statements}",
            "--skip-name-resolve",
            "--character-set-server=utf8mb4",
            "--max-connections=200",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-doublewrite=0",
            "--innodb-buffer-pool-size=64M",
            "--innodb-log-file-size=32M",
        ]
        with _running("MariaDB", command, user="mysql", folder=folder) as server:
            # It reads its first statements before it listens, and greets whoever connects.
            server.wait_until(lambda: b"MariaDB" in _greeting(port))
            yield f"mysql://cumulet:{PASSWORD}@127.0.0.1:{port}/cumulet"


@contextmanager
def rabbitmq() -> Iterator[str]:
    with _folder("rabbitmq", owner="rabbitmq") as folder, ExitStack() as processes:
        port, between_nodes, port_mapper = free_port(), free_port(), free_port()
        environment = {
            "HOME": str(folder),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(port_mapper),
            "RABBITMQ_NODENAME": f"test{port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(between_nodes),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(folder / "none"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            # With this the start script becomes the server, so that the process we started is the one we stop.
            "RUNNING_UNDER_SYSTEMD": "true",
        }
        # Left alone, the server would start a port mapper of its own and leave it behind.
        processes.enter_context(
            _running("epmd", ["epmd"], user="rabbitmq", folder=folder, environment=environment)
        ).wait_until(lambda: _connects(port_mapper))
        server = processes.enter_context(
            _running(
                "RabbitMQ",
                ["/usr/lib/rabbitmq/bin/rabbitmq-server"],
                user="rabbitmq",
                folder=folder,
                environment=environment,
            )
        )
        server.wait_until(lambda: _greeting(port, b"AMQP\x00\x00\x09\x01").startswith(b"\x01"))
        yield f"amqp://guest:guest@127.0.0.1:{port}/"


@contextmanager
def openldap() -> Iterator[Directory]:
    """A directory with the people of `directory/people.ldif`, and 1,200 more in ou=Many."""
    with _folder("openldap", owner="openldap") as folder:
        port, tls_port = free_port(), free_port()
        data, settings, people = folder / "data", folder / "slapd.conf", folder / "people.ldif"
        data.mkdir()
        ca = make_certificate(folder)
        text = (DIRECTORY / "slapd.conf").read_text()
        settings.write_text(text.replace("FOLDER", str(folder)))
        shutil.copy(DIRECTORY / "active_directory.schema", folder)
        people.write_text((DIRECTORY / "people.ldif").read_text() + "".join(map(_one_of_many, range(1200))))
        for path in folder.iterdir():
            _give(path, "openldap")
        _run(["/usr/sbin/slapadd", "-q", "-f", settings, "-l", people], user="openldap")
        addresses = f"ldap://127.0.0.1:{port}/ ldaps://127.0.0.1:{tls_port}/"
        command = ["/usr/sbin/slapd", "-d", "0", "-f", settings, "-h", addresses]
        with _running("OpenLDAP", command, user="openldap", folder=folder) as server:
            server.wait_until(lambda: _connects(port) and _connects(tls_port))
            yield Directory(f"ldap://127.0.0.1:{port}", f"ldaps://127.0.0.1:{tls_port}", ca)


def _one_of_many(number: int) -> str:
    name = f"user{number:04}"
    return (
        f"\ndn: cn={name},ou=Many,dc=example,dc=org\nobjectClass: inetOrgPerson\n"
        f"cn: {name}\nsn: Many\nuid: {name}\nmail: {name}@example.org\n"
    )


@contextmanager
def _running(
    name: str,
    command: Sequence[str | Path],
    *,
    user: str,
    folder: Path,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Started]:
    """The data is thrown away, so there is nothing to close properly; PostgreSQL, though, tells its children."""
    ending = "TERM" if name == "PostgreSQL" else "KILL"
    identity, log = _as(user), folder / f"{name}.log"
    with started(
        name, command, log, ending=ending, folder=folder, environment=environment, identity=identity
    ) as server:
        yield server


def _as(user: str) -> list[str]:
    """Options of setpriv: a server never runs as root."""
    if os.geteuid() != 0:
        return []
    account = pwd.getpwnam(user)
    return [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]


@contextmanager
def _folder(name: str, *, owner: str) -> Iterator[Path]:
    memory = Path("/dev/shm")
    in_memory = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM_NEEDED
    folder = Path(tempfile.mkdtemp(prefix=f"cumulet-{name}-", dir=memory if in_memory else None))
    try:
        _give(folder, owner)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _give(path: Path, owner: str) -> None:
    if os.geteuid() == 0:
        shutil.chown(path, owner)


def _run(command: Sequence[str | Path], *, user: str, environment: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        ["setpriv", "--pdeathsig", "KILL", *_as(user), *map(str, command)],
        env={**os.environ, **(environment or {})},
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=START_LIMIT,
        check=False,
    )
    if done.returncode != 0:
        raise DidNotStart(f"{Path(command[0]).name} failed:\n{done.stdout.decode(errors='replace')[-3000:]}")


def _succeeds(command: Sequence[str | Path]) -> bool:
    with suppress(subprocess.TimeoutExpired):
        return subprocess.run([str(part) for part in command], timeout=10, check=False).returncode == 0
    return False


def free_port() -> int:
    """One that stays free until whoever asked takes it: each process of a run has its own to give, each once a round,
    and the kernel gives none of them to somebody who only connects."""
    for port in _ports:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("a cycle has no end")


def _mine() -> Iterator[int]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    ports = list(range(12_000 + worker % MOST_WORKERS, 24_000, MOST_WORKERS))
    start = os.getpid() % len(ports)
    return itertools.cycle([*ports[start:], *ports[:start]])


MOST_WORKERS = 16
_ports = _mine()


def _connects(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _greeting(port: int, opening: bytes = b"") -> bytes:
    """What the server says first, once it has been spoken to where its protocol asks for that."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        connection.sendall(opening)
        return connection.recv(128)
    return b""
