"""Key pairs: public keys that a user wants in his servers."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Annotated, Any

import sqlalchemy as sa
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from cumulet.core.db import PRIMARY, Duplicate, Instant, LongText, Name, Ref, Row, Short, Transaction, stored
from cumulet.core.room import Room
from cumulet.core.web.body import NEVER, OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Filter, Listing, ask
from cumulet.core.web.resource import Listed, Owner, Resource
from cumulet.core.web.versions import version
from cumulet.core.web.view import written
from cumulet.core.web.wire import Enum, StrictBool, StrictInt, Text
from cumulet.lib.clock import iso_micros
from cumulet.lib.ids import new_uuid
from cumulet.services.compute.errors import InvalidKeyPair, KeyPairExists, KeyPairNotFound
from cumulet.services.compute.room import Compute

RULE = "os_compute_api:os-keypairs:"


@stored("compute_keypairs", sa.Index("compute_keypairs_name", "user_id", "name", unique=True))
class KeyPairRow(Row):
    """A public key under a name that is unique for its user."""

    id: Annotated[str, sa.String(36), PRIMARY]
    user_id: Ref
    name: Name
    type: Short
    public_key: LongText
    fingerprint: Name
    created_at: Instant


async def _of_user(room: Room, call: Call, name: str) -> KeyPairRow | None:
    """The key pair of this name of the user who is meant: the caller or, from 2.10, whom an administrator names."""
    user_id = call.caller.user_id
    if call.version >= version("2.10"):
        user_id = call.request.one("user_id") or user_id
    async with room.database.read() as tx:
        return await tx.get(KeyPairRow, user_id=user_id, name=name)


keypairs = Resource(
    path="/os-keypairs",
    one="keypair",
    many="keypairs",
    row=KeyPairRow,
    owner=Owner.USER,
    key="keypair_name",
    load=_of_user,
    missing=KeyPairNotFound,
    target=lambda row: {"user_id": row.user_id},
    fields=[
        Field("name", Text(255, 1, r"^[a-zA-Z0-9 _-]+$"), create=REQUIRED, until="2.91", brief=True),
        Field("name", Text(255, 1, r"^[a-zA-Z0-9 ._@-]+$"), create=REQUIRED, since="2.92", brief=True),
        Field("type", Enum("ssh", "x509"), create="ssh", since="2.2", brief=True),
        Field("public_key", Text(16384, 1), create=OPTIONAL, until="2.91", brief=True),
        Field("public_key", Text(16384, 1), create=REQUIRED, since="2.92", brief=True),
        Field("fingerprint", Text(), brief=True),
        Field("user_id", Text(255, 1), create=NEVER, until="2.9"),
        Field("user_id", Text(255, 1), create=OPTIONAL, since="2.10"),
        Field("id", StrictInt(), source=lambda row, call: int(row.id.replace("-", "")[:8], 16)),
        Field("created_at", Text(), source=written("created_at", iso_micros)),
        Field("deleted", StrictBool, source=lambda row, call: False),
        Field("deleted_at", Text(), source=lambda row, call: None),
        Field("updated_at", Text(), source=lambda row, call: None),
    ],
    listing=Listing(
        filters=[Filter("user_id", since="2.10")],
        default_sort=(("name", "asc"),),
        marker_column="name",
        page_since="2.35",
    ),
)


@keypairs.create(RULE + "create", status={"2.1": 200, "2.2": 201})
async def create(room: Compute, call: Call) -> dict[str, Any]:
    wish = call.wish
    user_id = wish.get("user_id") or call.caller.user_id
    call.allow(RULE + "create", {"user_id": user_id})
    name = wish["name"]
    if name != name.strip():
        raise InvalidKeyPair("name: a key pair's name must not begin or end with a space")
    private_key = ""
    public_key = wish.get("public_key", "")
    if not public_key:
        public_key, private_key = generate(user_id)
    row = KeyPairRow(
        new_uuid(), user_id, name, wish.get("type", "ssh"), public_key, fingerprint(public_key), room.clock.now()
    )

    await room.quota.learn(call.caller.project_id, user_id)

    async def write(tx: Transaction) -> None:
        await room.quota.take(tx, user_id, key_pairs=1)
        await tx.insert(row)

    try:
        await room.database.write(write)
    except Duplicate as taken:
        raise KeyPairExists(f"Key pair '{name}' already exists. Choose another name, or delete it first.") from taken
    shown = {key: value for key, value in keypairs.show_row(call, row).items() if key in _CREATED}
    return {"keypair": shown | ({"private_key": private_key} if private_key else {})}


_CREATED = {"name", "type", "public_key", "fingerprint", "user_id"}


@keypairs.list(RULE + "index")
async def index(room: Compute, call: Call) -> dict[str, Any]:
    question = ask(keypairs.listing, KeyPairRow, call)
    user_id = question.values.get("filter_user_id", call.caller.user_id)
    call.allow(RULE + "index", {"user_id": user_id})
    if "filter_user_id" not in question.values:
        question.where("own", KeyPairRow.c.user_id == sa.bindparam("caller_user"), {"caller_user": user_id})
    async with room.database.read() as tx:
        rows, more = await keypairs.lister.page(tx, question, "name")
    body = keypairs.present_list(call, Listed(rows, more, brief=True))
    body["keypairs"] = [{"keypair": shown} for shown in body["keypairs"]]
    return body


@keypairs.show(RULE + "show")
async def show(room: Compute, call: Call, row: KeyPairRow) -> KeyPairRow:
    return row


@keypairs.delete(RULE + "delete", status={"2.1": 202, "2.2": 204})
async def delete(room: Compute, call: Call, row: KeyPairRow) -> None:
    async def write(tx: Transaction) -> None:
        if await tx.delete(KeyPairRow, id=row.id):
            await room.quota.give_back(tx, row.user_id, key_pairs=1)

    await room.database.write(write)


def generate(comment: str) -> tuple[str, str]:
    """A new RSA key: (public, private), in OpenSSH's and PEM's text."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return f"{public.decode()} Generated-by-Cumulet", private.decode()


def fingerprint(public_key: str) -> str:
    """The MD5 fingerprint of an OpenSSH key, in pairs. Raises InvalidKeyPair."""
    parts = public_key.split()
    try:
        if len(parts) < 2 or not re.fullmatch(r"[a-z0-9@.-]+", parts[0]):
            raise ValueError
        blob = base64.b64decode(parts[1], validate=True)
        named = blob[4 : 4 + int.from_bytes(blob[:4], "big")]
        if named != parts[0].encode():
            raise ValueError
    except (ValueError, binascii.Error) as error:
        raise InvalidKeyPair(
            "Keypair data is invalid: public_key is not an OpenSSH public key. Give the one line of a file such as "
            "~/.ssh/id_ed25519.pub."
        ) from error
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(digest[place : place + 2] for place in range(0, 32, 2))
