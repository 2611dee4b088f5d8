"""The ledger of microversions: each number, and one sentence of what it changed for the nouns served here."""

from __future__ import annotations

EARLIEST = "3.0"
LATEST = "3.71"

LEDGER = {
    "3.3": "Messages say why something failed.",
    "3.5": "Messages are filtered, sorted and paged.",
    "3.7": "Services can form clusters.",
    "3.10": "Volumes are filtered by their group.",
    "3.11": "There are group types.",
    "3.12": "Volumes can be summed up.",
    "3.13": "Volumes can belong to groups.",
    "3.14": "Whole groups have snapshots, and can be made of them.",
    "3.19": "An administrator can say what a group's snapshot is.",
    "3.20": "An administrator can say what a group is.",
    "3.21": "A volume shows the provider's id to administrators.",
    "3.23": "A volume can be deleted by force.",
    "3.25": "A group can show its volumes.",
    "3.27": "Attachments are a noun of their own.",
    "3.31": "Lists can be filtered by a part of the name.",
    "3.33": "By what lists can be filtered is told.",
    "3.36": "The sum of volumes shows their metadata.",
    "3.38": "A group shows whether it is replicated.",
    "3.40": "A volume can return to its latest snapshot.",
    "3.41": "A snapshot shows its user.",
    "3.42": "A volume in use can be extended.",
    "3.44": "Attachments are completed by an action.",
    "3.45": "A list can say how many there are in all.",
    "3.48": "A volume shows whether its targets are shared, and its service.",
    "3.49": "A service shows the state of its backend.",
    "3.50": "Whether a volume can be attached several times is said by its type alone.",
    "3.53": "Unknown fields in a volume's creation or update are refused.",
    "3.54": "An attachment is made with its mode.",
    "3.55": "A volume is transferred with its snapshots or without them.",
    "3.57": "A transfer shows between which projects it goes.",
    "3.58": "Groups and their snapshots show their project to administrators.",
    "3.61": "A volume shows its cluster to administrators.",
    "3.62": "Projects have default types.",
    "3.63": "A volume shows its type's id.",
    "3.65": "What is shown says whether it counts towards the quota.",
    "3.66": "A snapshot of a volume in use needs no force.",
    "3.69": "Whether targets are shared has a third answer: null.",
}
