"""The ledger of microversions: each number, and one sentence of what it changed for the nouns served here."""

from __future__ import annotations

EARLIEST = "3.0"
LATEST = "3.71"

LEDGER = {
    "3.12": "Volumes can be summed up.",
    "3.13": "A volume may belong to a group.",
    "3.21": "A volume shows the provider's id to administrators.",
    "3.27": "Attachments are a noun of their own.",
    "3.42": "A volume in use can be extended.",
    "3.44": "Attachments are completed by an action.",
    "3.45": "A list can say how many volumes there are in all.",
    "3.47": "A volume can be made from a backup.",
    "3.48": "A volume shows whether its targets are shared, and its service.",
    "3.53": "Unknown fields in a volume's creation or update are refused.",
    "3.61": "A volume shows its cluster to administrators.",
    "3.63": "A volume shows its type's id.",
    "3.65": "A volume shows whether it counts towards the quota.",
    "3.69": "Whether targets are shared has a third answer: null.",
}
