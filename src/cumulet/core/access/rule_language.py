"""The language of policy files, read into trees.

    role:reader and (project_id:%(project_id)s or 'public':%(visibility)s) and not rule:locked

A rule is made of checks, each `kind:wanted`, joined by `and`, `or`, `not` and parentheses. `@` or an empty text always
allows, `!` never does. The old list form, `[["role:a", "project_id:%(project_id)s"], "role:b"]`, is an `or` of `and`s.
Whatever cannot be understood is an error that says where and what to write instead: a rule that is half understood
would allow or refuse something else than its author meant.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from cumulet.core.access.rule_trees import (
    AllOf,
    AnyOf,
    Attribute,
    Constant,
    Field,
    Literal,
    Not,
    Place,
    Reference,
    Role,
    Template,
    Tree,
)

RuleText = str | Sequence[str | Sequence[str]]

MAX_LENGTH = 16_384
MAX_NESTING = 20

_WORD = re.compile(r"\S+")
_PLACE = re.compile(r"%\(([^()]+)\)s|%%|%")
_PATH = re.compile(r"[A-Za-z_][\w-]*(\.[\w-]+)*")
_LITERAL = re.compile(r"None|True|False|-?(?:0|[1-9]\d*)(?:\.\d+)?|'[^'\\]*'|\"[^\"\\]*\"")


class RuleError(ValueError):
    """A rule that cannot be used: which one, what is wrong with it, at which character, and what to do about it."""

    def __init__(
        self,
        rule: str,
        problem: str,
        remedy: str,
        *,
        text: str = "",
        position: int | None = None,
        others: Sequence[str] = (),
    ) -> None:
        self.rule, self.text, self.position = rule, text, position
        self.problem, self.remedy = problem, remedy
        self.involved = (rule, *others)
        where = "" if position is None else f" at character {position + 1} of {_excerpt(text, position)}"
        super().__init__(f"rule '{rule}': {problem}{where}; {remedy}")


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    """`(`, `)`, `and`, `or`, `not` or `check`."""
    text: str
    position: int


def parse(rule: str, text: RuleText) -> Tree:
    """The tree of a rule's text. `rule` is its name, for the error."""
    if isinstance(text, str):
        return _Reader(rule, text).tree()
    return _tree_of_lists(rule, text)


def _tree_of_lists(rule: str, text: Sequence[str | Sequence[str]]) -> Tree:
    if not text:
        return Constant(True)
    alternatives: list[Tree] = []
    for inner in text:
        checks = [inner] if isinstance(inner, str) else inner
        terms = tuple(_Reader(rule, check).check(check, 0) for check in checks)
        if terms:
            alternatives.append(terms[0] if len(terms) == 1 else AllOf(terms))
    return AnyOf(tuple(alternatives)) if alternatives else Constant(False)


class _Reader:
    """Reads one text. `not` binds tighter than `and`, and that tighter than `or`."""

    def __init__(self, rule: str, text: str) -> None:
        self.rule, self.text = rule, text
        if len(text) > MAX_LENGTH:
            raise self._error(f"has more than {MAX_LENGTH} characters", "split it into rules that it refers to", None)

    def tree(self) -> Tree:
        if not self.text:
            return Constant(True)
        self._tokens = list(_tokens(self.text))
        self._at = 0
        tree = self._expression(0)
        if (token := self._peek()) is not None:
            if token.kind == ")":
                raise self._error("this ')' closes nothing", "remove it, or open it with '('", token.position)
            raise self._missing_join(token)
        return tree

    def _peek(self) -> _Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _takes(self, kind: str) -> bool:
        token = self._peek()
        if token is None or token.kind != kind:
            return False
        self._at += 1
        return True

    def _expression(self, depth: int) -> Tree:
        terms = [self._conjunction(depth)]
        while self._takes("or"):
            terms.append(self._conjunction(depth))
        return terms[0] if len(terms) == 1 else AnyOf(tuple(terms))

    def _conjunction(self, depth: int) -> Tree:
        terms = [self._term(depth)]
        while self._takes("and"):
            terms.append(self._term(depth))
        return terms[0] if len(terms) == 1 else AllOf(tuple(terms))

    def _term(self, depth: int) -> Tree:
        inverted = False
        while self._takes("not"):
            inverted = not inverted
        tree = self._operand(depth)
        return Not(tree) if inverted else tree

    def _operand(self, depth: int) -> Tree:
        token = self._peek()
        if token is None:
            raise self._error("a check is missing at the end", "write one there: role:admin, or @ or !", len(self.text))
        self._at += 1
        if token.kind == "check":
            return self.check(token.text, token.position)
        if token.kind != "(":
            raise self._error(
                f"a check is missing before '{token.text}'", "write one, such as role:admin", token.position
            )
        if depth == MAX_NESTING:
            raise self._error(
                f"has more than {MAX_NESTING} parentheses in each other", "name its parts as rules", token.position
            )
        tree = self._expression(depth + 1)
        if not self._takes(")"):
            found = self._peek()
            if found is not None:
                raise self._missing_join(found)
            raise self._error("this '(' is never closed", "add the missing ')'", token.position)
        return tree

    def _missing_join(self, token: _Token) -> RuleError:
        near = get_close_matches(token.text.lower(), ("and", "or", "not"), 1)
        remedy = f"did you mean '{near[0]}'?" if near else "write 'and' or 'or' between them"
        return self._error("two checks stand side by side", remedy, token.position)

    def check(self, text: str, position: int) -> Tree:
        """The tree of one check; `position` says where in the text it stands."""
        if text in ("@", "!"):
            return Constant(text == "@")
        if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
            raise self._error("a quoted text alone is not a check", "quote only what stands before the ':'", position)
        kind, colon, wanted = text.partition(":")
        if not colon:
            near = get_close_matches(text.lower(), ("and", "or", "not"), 1)
            remedy = f"did you mean '{near[0]}'?" if near else "write kind:value, such as role:admin or rule:admin_api"
            raise self._error(f"'{text}' is not a check", remedy, position)
        start = position + len(kind) + 1
        if kind == "rule":
            return Reference(wanted, position)
        if kind == "role":
            return Role(self._template(wanted, start))
        if kind == "field":
            return self._field(wanted, start)
        if kind in ("http", "https"):
            raise self._error("checks by a remote server are not offered", "say it with roles and attributes", position)
        if _LITERAL.fullmatch(kind):
            return Literal(str(ast.literal_eval(kind)), self._template(wanted, start))
        if _PATH.fullmatch(kind):
            return Attribute(tuple(kind.split(".")), self._template(wanted, start))
        if "(" in kind:
            raise self._error(f"'{kind}' runs into a parenthesis", "put a space before '('", position)
        remedy = "write role, rule, a quoted value, or an attribute of the caller such as project_id, before the ':'"
        raise self._error(f"'{kind}' is no kind of check", remedy, position)

    def _template(self, text: str, start: int) -> Template:
        parts: list[str | Place] = []
        plain, end = "", 0
        for found in _PLACE.finditer(text):
            plain += text[end : found.start()]
            end = found.end()
            if found[1]:
                parts += [plain, Place(found[1])] if plain else [Place(found[1])]
                plain = ""
            elif found[0] == "%%":
                plain += "%"
            else:
                raise self._error(
                    "this '%' begins no place", "write %(name)s, or %% for the sign", start + found.start()
                )
        plain += text[end:]
        return (*parts, plain) if plain or not parts else tuple(parts)

    def _field(self, text: str, start: int) -> Field:
        resource, colon, rest = text.partition(":")
        name, equals, value = rest.partition("=")
        if not (resource and colon and name and equals):
            raise self._error("this is no check of a field", "write field:resource:name=value", start)
        if not value.startswith("~"):
            return Field(resource, name, value, None)
        try:
            return Field(resource, name, value, re.compile(value[1:]))
        except re.error as error:
            raise self._error(f"'{value[1:]}' is no pattern ({error})", "mend the pattern after '~'", start) from None

    def _error(self, problem: str, remedy: str, position: int | None) -> RuleError:
        return RuleError(self.rule, problem, remedy, text=self.text, position=position)


def _tokens(text: str) -> Iterator[_Token]:
    """Words are parted by spaces; parentheses count at a word's ends only, since `%(name)s` has some inside."""
    for found in _WORD.finditer(text):
        word, position = found[0], found.start()
        inner = word.lstrip("(")
        for _ in range(len(word) - len(inner)):
            yield _Token("(", "(", position)
            position += 1
        check = inner.rstrip(")")
        if check:
            lowered = check.lower()
            yield _Token(lowered if lowered in ("and", "or", "not") else "check", check, position)
            position += len(check)
        for _ in range(len(inner) - len(check)):
            yield _Token(")", ")", position)
            position += 1


def _excerpt(text: str, position: int) -> str:
    """The text, or that part of a long one which surrounds the position."""
    start, end = max(0, position - 60), position + 60
    return repr(("…" if start else "") + text[start:end] + ("…" if end < len(text) else ""))
