"""The operator's policy files, laid over the default rules of a service and followed while it runs.

A folder holds `policy.yaml` (or the older `policy.json`) and `policy.d`, whose files are read after it in the order of
their names; where two say something of one rule, the later one counts. Files are taken all together or not at all: a
service refuses to start with a bad one, and a running service keeps what it has and tells what is wrong.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from cumulet.core.access.rule_language import parse
from cumulet.core.access.rules import Rules, RuleText, faults, nearest, references

MAX_BYTES = 1 << 20
MAX_FILES = 256
SUFFIXES = (".yaml", ".yml", ".json")

_TEXT, _LIST = "tag:yaml.org,2002:str", "tag:yaml.org,2002:seq"
_CONSTANTS = '"@" allows always, "!" never'

log = logging.getLogger(__name__)


class PolicyFileError(Exception):
    """Policy files that cannot be used. Each problem names its file, the line, the rule and the remedy."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True)
class Entry:
    """What one line of a policy file says of a rule."""

    rule: str
    text: RuleText
    source: str
    """`path:line`"""


@dataclass(frozen=True)
class _Seen:
    """A file as it was at a look. An edit changes one of these."""

    path: Path
    modified: int = 0
    size: int = 0
    inode: int = 0
    trouble: str = ""


@dataclass(frozen=True)
class _Policy:
    """What all files say together."""

    overrides: Mapping[str, RuleText]
    warnings: tuple[str, ...]


class PolicyFiles:
    """The policy folder of one service. Made, it has been read; PolicyFileError says why it could not."""

    def __init__(self, rules: Rules, folder: Path) -> None:
        self.rules = rules
        self.folder = folder
        self.warnings: tuple[str, ...] = ()
        self.overrides: Mapping[str, RuleText] = {}
        """What the files say, and is in force."""
        self.error: PolicyFileError | None = None
        """What is wrong with the files as they are now, while the rules of their last good state are in force."""
        self._seen = self._look()
        self._apply(self._read(self._seen))

    def reload_if_changed(self) -> bool:
        """Take over what changed since the last call; True when new rules are in force. `error` tells of bad files."""
        seen = self._look()
        if seen == self._seen:
            return False
        try:
            policy = self._read(seen)
        except PolicyFileError as error:
            if self._look() == seen:
                self._seen, self.error = seen, error
                log.error("The policy in %s is not taken over, the rules before it stay: %s", self.folder, error)
            return False
        if self._look() != seen:
            # Somebody is still writing: half an edit is no policy.
            return False
        self._seen, self.error = seen, None
        self._apply(policy)
        return True

    def _read(self, files: tuple[_Seen, ...]) -> _Policy:
        if len(files) > MAX_FILES:
            raise PolicyFileError([f"{self.folder}: more than {MAX_FILES} policy files; join some of them"])
        warnings: list[str] = []
        problems: list[str] = []
        entries: dict[str, Entry] = {}
        for file in files:
            if file.path == self.folder / "policy.json" and files[0] != file:
                warnings.append(f"{file.path} is not read, since {files[0].path} is there")
            elif file.trouble:
                problems.append(f"{file.path}: cannot be read: {file.trouble}")
            elif file.path.suffix not in SUFFIXES:
                warnings.append(f"{file.path} is not read: the name of a policy file ends in {', '.join(SUFFIXES)}")
            else:
                try:
                    entries |= {entry.rule: entry for entry in read(file.path)}
                except PolicyFileError as error:
                    problems += error.problems
        overrides = {entry.rule: entry.text for entry in entries.values()}
        # References can be judged only once every file has been understood.
        problems = problems or _faults(self.rules.defaults, overrides, entries)
        if problems:
            raise PolicyFileError(problems)
        return _Policy(overrides, (*warnings, *_unknown(self.rules.defaults, entries)))

    def _apply(self, policy: _Policy) -> None:
        self.rules.override(policy.overrides)
        self.overrides = policy.overrides
        self.warnings = policy.warnings
        log.info("The policy in %s says something of %d rules", self.folder, len(policy.overrides))
        for warning in policy.warnings:
            log.warning("%s", warning)

    def _look(self) -> tuple[_Seen, ...]:
        """The files in the order of reading."""
        main = [self.folder / "policy.yaml", self.folder / "policy.json"]
        found = [seen for seen in map(_seen, main) if seen is not None]
        parts = self.folder / "policy.d"
        try:
            names = sorted(name for name in os.listdir(parts) if not name.startswith("."))
        except (FileNotFoundError, NotADirectoryError):
            names = []
        except OSError as error:
            return (*found, _Seen(parts, trouble=str(error.strerror)))
        return (*found, *(seen for seen in (_seen(parts / name) for name in names) if seen is not None))


def read(path: Path) -> list[Entry]:
    """What one file says, in its order. JSON is read as the YAML it is, so that both name the line of a mistake."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        text = data.decode()
    except OSError as error:
        raise PolicyFileError([f"{path}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        raise PolicyFileError([f"{path}: is not UTF-8 text ({error.reason} at byte {error.start})"]) from None
    if len(data) > MAX_BYTES:
        raise PolicyFileError([f"{path}: has more than {MAX_BYTES} bytes; split it"])
    try:
        # JSON may be indented by tabs, YAML may not; within JSON texts there are none.
        root = yaml.compose(text.replace("\t", " ") if path.suffix == ".json" else text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        remedy = "put texts that begin with @, !, % or a quote into quotes"
        raise PolicyFileError([f"{path}{line}: is not YAML: {error.problem}; {remedy}"]) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise PolicyFileError([f"{path}: is not YAML: {error}"]) from None
    return _entries(path, root)


def _entries(path: Path, root: yaml.Node | None) -> list[Entry]:
    if root is None:
        return []
    if not isinstance(root, yaml.MappingNode):
        raise PolicyFileError([f'{path}: write one "name": "rule" on each line'])
    entries: dict[str, Entry] = {}
    problems: list[str] = []
    for key, value in root.value:
        source = f"{path}:{key.start_mark.line + 1}"
        if not isinstance(key, yaml.ScalarNode):
            problems.append(f"{source}: the name of a rule must be a text")
        elif key.value in entries:
            problems.append(f"{source}: rule '{key.value}' stood at {entries[key.value].source} already")
        else:
            try:
                entries[key.value] = Entry(key.value, _text(value), source)
            except ValueError as error:
                problems.append(f"{source}: rule '{key.value}': {error}")
    if problems:
        raise PolicyFileError(problems)
    return list(entries.values())


def _text(node: yaml.Node) -> RuleText:
    """A text, or the old form: a list of texts and of lists of texts."""
    if node.tag == _TEXT and isinstance(node, yaml.ScalarNode):
        return str(node.value)
    if node.tag == _LIST and isinstance(node, yaml.SequenceNode):
        return [_texts(part) if isinstance(part, yaml.SequenceNode) else _one(part) for part in node.value]
    return _one(node)


def _texts(node: yaml.SequenceNode) -> list[str]:
    return [_one(part) for part in node.value]


def _one(node: yaml.Node) -> str:
    if node.tag == _TEXT and isinstance(node, yaml.ScalarNode):
        return str(node.value)
    if isinstance(node, yaml.ScalarNode) and not node.value:
        raise ValueError(f"says nothing; write in quotes what it needs ({_CONSTANTS})")
    kind = node.tag.rpartition(":")[2]
    raise ValueError(f'is a {kind} and not a text; write it in quotes, such as "role:admin" ({_CONSTANTS})')


def _faults(
    defaults: Mapping[str, RuleText], overrides: Mapping[str, RuleText], entries: Mapping[str, Entry]
) -> list[str]:
    """What is wrong with the rules themselves, each with the line that is to blame."""
    problems = []
    for error in faults({**defaults, **overrides}):
        blamed = next((entries[name].source for name in error.involved if name in entries), "the defaults")
        problems.append(f"{blamed}: {error}")
    return problems


def _unknown(defaults: Mapping[str, RuleText], entries: Mapping[str, Entry]) -> list[str]:
    """Names that nothing asks for: mostly misspelt. One that another rule refers to is the operator's own."""
    asked = {found.rule for entry in entries.values() for found in references(parse(entry.rule, entry.text))}
    warnings = []
    for name, entry in entries.items():
        if name not in defaults and name not in asked:
            remedy = nearest(name, defaults) or "remove it"
            warnings.append(f"{entry.source}: nothing asks for rule '{name}'; {remedy}")
    return warnings


def _seen(path: Path) -> _Seen | None:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return _Seen(path, trouble=str(error.strerror))
    return _Seen(path, status.st_mtime_ns, status.st_size, status.st_ino)
