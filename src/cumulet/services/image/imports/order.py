"""What a task shall do: its input, as it is stored and shown."""

from __future__ import annotations

import msgspec

from cumulet.services.image.imports.methods import ImportRequest
from cumulet.services.image.imports.tasks import TaskRow


class Order(msgspec.Struct):
    """One import."""

    image_id: str
    import_req: ImportRequest
    backend: list[str]
    hash_algo: str = ""
    hash_value: str = ""
    checksum: str = ""
    only_reads: bool = False
    """The bytes stay where they are."""
    tells: bool = True
    """What is found of digests becomes the image's own."""


def order_of(task: TaskRow) -> Order:
    return msgspec.json.decode(task.input, type=Order)
