"""The database: rows declared once, queries compiled once, transactions that may be rerun."""

from cumulet.core.db.engine import Database, Duplicate, Transaction
from cumulet.core.db.query import Query
from cumulet.core.db.schema import (
    METADATA,
    PRIMARY,
    BigInt,
    Blob,
    Id,
    Instant,
    Json,
    LongText,
    Name,
    Number,
    Ref,
    Row,
    Short,
    stored,
)

__all__ = [
    "METADATA",
    "PRIMARY",
    "BigInt",
    "Blob",
    "Database",
    "Duplicate",
    "Id",
    "Instant",
    "Json",
    "LongText",
    "Name",
    "Number",
    "Query",
    "Ref",
    "Row",
    "Short",
    "Transaction",
    "stored",
]
