"""The config drive: a read-only disk that tells a guest what it is. Pure: files in, the bytes of the disk out.

It is an ISO 9660 volume (ECMA-119) labelled `config-2`, by which guests recognise it. Every folder is written twice:
once with plain names and once with Joliet names, which are what Linux, BSD and Windows show.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

LABEL = "config-2"
CONTENT_LIMIT = 64 << 20

_SECTOR = 2048
_FIRST_DESCRIPTOR = 16
_FOLDER, _PLAIN_FILE = 2, 0
# Always the same moment, so that equal content gives an equal disk: 2020-01-01 00:00:00 UTC.
_RECORD_TIME = bytes([120, 1, 1, 0, 0, 0, 0])
_VOLUME_TIME = b"2020010100000000\0"
_NO_TIME = b"0000000000000000\0"


@dataclass(eq=False)
class _File:
    name: str
    data: bytes
    sector: int = 0


@dataclass(eq=False)
class _Folder:
    name: str
    children: dict[str, _Folder | _File] = field(default_factory=dict)

    def sorted(self) -> list[_Folder | _File]:
        return [self.children[name] for name in sorted(self.children)]


@dataclass(eq=False)
class _Naming:
    """One of the two views of the tree: how names are written, and where its folders are."""

    joliet: bool
    folders: list[tuple[_Folder, int]]
    """Each folder with the place of its parent in this list; the root, its own parent, is first."""
    sectors: list[int] = field(default_factory=list)
    path_table: int = 0

    def text(self, text: str, size: int) -> bytes:
        if self.joliet:
            return (
                text.encode("utf-16-be").ljust(size, b"\0")[:size]
                if size % 2 == 0
                else self.text(text, size - 1) + b"\0"
            )
        return text.encode("ascii").ljust(size, b" ")

    def identifier(self, node: _Folder | _File) -> bytes:
        name = node.name if isinstance(node, _Folder) else f"{node.name};1"
        return name.encode("utf-16-be") if self.joliet else name.encode("ascii")


def disk(files: Mapping[str, bytes], label: str = LABEL) -> bytes:
    """The bytes of a volume that holds these files, by path (`openstack/latest/meta_data.json`)."""
    if sum(map(len, files.values())) > CONTENT_LIMIT:
        raise ValueError(f"a config drive holds at most {CONTENT_LIMIT} bytes")
    root = _tree(files)
    folders = _folders(root)
    views = [_Naming(False, folders), _Naming(True, folders)]

    # Where everything lies: descriptors, path tables (each in both byte orders), folders, files.
    sector = _FIRST_DESCRIPTOR + len(views) + 1
    for view in views:
        view.path_table = sector
        sector += 2 * _sectors(len(_path_table(view, "<", [0] * len(folders))))
    for view in views:
        for folder, _ in folders:
            view.sectors.append(sector)
            sector += _sectors(_folder_size(view, folder))
    for file in _files(folders):
        file.sector = sector
        sector += max(1, _sectors(len(file.data)))

    pieces = [bytes(_FIRST_DESCRIPTOR * _SECTOR)]
    pieces += [_descriptor(view, label, sector) for view in views]
    pieces.append(_padded(b"\xffCD001\x01"))
    for view in views:
        pieces += [_padded(_path_table(view, order, view.sectors)) for order in "<>"]
    pieces += [_folder_bytes(view, number) for view in views for number in range(len(folders))]
    pieces += [_padded(file.data or b"\0") for file in _files(folders)]
    return b"".join(pieces)


def _tree(files: Mapping[str, bytes]) -> _Folder:
    root = _Folder("")
    for path, data in files.items():
        *parents, name = path.split("/")
        folder = root
        for part in parents:
            child = folder.children.setdefault(_checked(part, path), _Folder(part))
            if isinstance(child, _File):
                raise ValueError(f"{path!r}: a file is in the way")
            folder = child
        if _checked(name, path) in folder.children:
            raise ValueError(f"{path!r}: is there already")
        folder.children[name] = _File(name, data)
    return root


def _checked(name: str, path: str) -> str:
    if (
        not (name.isascii() and name.isprintable() and 0 < len(name) <= 28)
        or name in (".", "..")
        or set(name) & set("/;\\")
    ):
        raise ValueError(f"{path!r} is no path for a config drive")
    return name


def _folders(root: _Folder) -> list[tuple[_Folder, int]]:
    """All folders, level by level: the order that path tables demand."""
    found = [(root, 0)]
    for number, (folder, _) in enumerate(found):
        found += [(child, number) for child in folder.sorted() if isinstance(child, _Folder)]
    return found


def _files(folders: list[tuple[_Folder, int]]) -> Iterator[_File]:
    for folder, _ in folders:
        yield from (child for child in folder.sorted() if isinstance(child, _File))


def _sectors(size: int) -> int:
    return -(-size // _SECTOR)


def _padded(data: bytes) -> bytes:
    return data.ljust(_sectors(len(data)) * _SECTOR, b"\0")


def _both(format: str, number: int) -> bytes:
    """A number in both byte orders."""
    return struct.pack(f"<{format}", number) + struct.pack(f">{format}", number)


def _record(identifier: bytes, sector: int, size: int, flags: int) -> bytes:
    body = b"\0" + _both("I", sector) + _both("I", size) + _RECORD_TIME + bytes([flags, 0, 0]) + _both("H", 1)
    body += bytes([len(identifier)]) + identifier
    length = (len(body) + 2) & ~1
    return bytes([length]) + body.ljust(length - 1, b"\0")


def _records(
    view: _Naming, folder: _Folder, places: Mapping[int, tuple[int, int]], own: int, parent: int
) -> list[bytes]:
    """The records of a folder; `places` says (sector, size) of folders by their number in the view."""
    numbers = {id(other): number for number, (other, _) in enumerate(view.folders)}
    records = [_record(b"\0", *places[own], _FOLDER), _record(b"\1", *places[parent], _FOLDER)]
    for child in folder.sorted():
        if isinstance(child, _Folder):
            records.append(_record(view.identifier(child), *places[numbers[id(child)]], _FOLDER))
        else:
            records.append(_record(view.identifier(child), child.sector, len(child.data), _PLAIN_FILE))
    return records


def _folder_size(view: _Naming, folder: _Folder) -> int:
    nowhere = dict.fromkeys(range(len(view.folders)), (0, 0))
    return len(_joined(_records(view, folder, nowhere, 0, 0)))


def _folder_bytes(view: _Naming, number: int) -> bytes:
    folder, parent = view.folders[number]
    places = {
        at: (view.sectors[at], _sectors(_folder_size(view, other)) * _SECTOR)
        for at, (other, _) in enumerate(view.folders)
    }
    return _padded(_joined(_records(view, folder, places, number, parent)))


def _joined(records: list[bytes]) -> bytes:
    """Records one after the other; none may cross the border of a sector."""
    whole = b""
    for record in records:
        if len(whole) % _SECTOR + len(record) > _SECTOR:
            whole = _padded(whole)
        whole += record
    return whole


def _path_table(view: _Naming, order: str, sectors: list[int]) -> bytes:
    table = b""
    for (folder, parent), sector in zip(view.folders, sectors, strict=True):
        identifier = view.identifier(folder) or b"\0"
        table += struct.pack(f"{order}BBIH", len(identifier), 0, sector, parent + 1) + identifier
        table += b"\0" * (len(identifier) % 2)
    return table


def _descriptor(view: _Naming, label: str, sectors: int) -> bytes:
    size = len(_path_table(view, "<", view.sectors))
    root_size = _sectors(_folder_size(view, view.folders[0][0])) * _SECTOR
    parts = [
        bytes([2 if view.joliet else 1]) + b"CD001\x01\x00",
        view.text("LINUX", 32),
        view.text(label, 32),
        bytes(8),
        _both("I", sectors),
        # The escape sequence by which Joliet says that names are UCS-2, level 3.
        (b"%/E" if view.joliet else b"").ljust(32, b"\0"),
        _both("H", 1) + _both("H", 1) + _both("H", _SECTOR),
        _both("I", size),
        struct.pack("<II", view.path_table, 0),
        struct.pack(">II", view.path_table + _sectors(size), 0),
        _record(b"\0", view.sectors[0], root_size, _FOLDER),
        *(view.text("", 128) for _ in ("volume set", "publisher", "preparer", "application")),
        *(view.text("", 37) for _ in ("copyright", "abstract", "bibliography")),
        _VOLUME_TIME + _VOLUME_TIME + _NO_TIME + _NO_TIME,
        b"\x01\x00",
    ]
    return _padded(b"".join(parts))
