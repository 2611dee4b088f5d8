"""Who may do what, as the operator's policy says it: rules of the policy language, compiled to functions.

A check costs about a microsecond, because everything that can be known beforehand is: texts are parsed, references
resolved and places in templates found when the rules are made. A fault in any rule shows then, too, never at a request.

Two habits of the language are kept since policies rely on them: values are compared as text, so `None:%(domain_id)s`
finds an owner that is None; and what the target or the credentials lack makes a check refuse, not fail.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from functools import partial
from graphlib import CycleError, TopologicalSorter
from types import MappingProxyType

from cumulet.core.access.rule_checks import (
    Check,
    all_of,
    always,
    any_of,
    caller_is,
    field_is,
    has_role,
    inverted,
    never,
    target_is,
)
from cumulet.core.access.rule_language import RuleError, RuleText, parse
from cumulet.core.access.rule_trees import AllOf, AnyOf, Attribute, Constant, Field, Literal, Not, Reference, Role, Tree

__all__ = ["Check", "RuleError", "RuleText", "Rules", "faults", "nearest", "references"]

MAX_DEPTH = 100
"""Functions within functions, counted through references: far below the interpreter's limit."""

_NONE_GIVEN: Mapping[str, RuleText] = MappingProxyType({})


class Rules:
    """The rules of one service: its defaults, and what the operator wrote over them."""

    def __init__(self, defaults: Mapping[str, RuleText], overrides: Mapping[str, RuleText] = _NONE_GIVEN) -> None:
        self.defaults = defaults
        self._checks: Mapping[str, Check] = {}
        self._closed_to_domains: Collection[str] = ()
        self.override(overrides)

    def close_to_domains(self, rules: Collection[str]) -> None:
        """Whose token is for a domain gets nothing from these rules, whatever their texts say.

        An administrator of a domain has the same role as one of the cloud: a text that asks for the role lets both in.
        """
        self._closed_to_domains = rules

    def override(self, overrides: Mapping[str, RuleText]) -> None:
        """Put these over the defaults, in place of what was there. With a RuleError nothing has changed."""
        checks, errors = _compiled({**self.defaults, **overrides})
        if errors:
            raise errors[0]
        self._checks = checks

    def allows(self, rule: str, target: Mapping[str, object], creds: Mapping[str, object]) -> bool:
        """May he who has these credentials do what the rule is about to this target?"""
        try:
            check = self._checks[rule]
        except KeyError:
            raise _unknown(rule, self._checks) from None
        if rule in self._closed_to_domains and creds.get("domain_id"):
            return False
        return check(target, creds)

    def check(self, rule: str) -> Check:
        """`allows` for one rule, to be kept: it follows later overrides."""
        if rule not in self._checks:
            raise _unknown(rule, self._checks)
        return partial(self.allows, rule)

    def __contains__(self, rule: str) -> bool:
        return rule in self._checks


def faults(texts: Mapping[str, RuleText]) -> list[RuleError]:
    """Everything that is wrong with these rules."""
    return _compiled(texts)[1]


def nearest(name: str, names: Iterable[str]) -> str:
    """The known name that was perhaps meant, as a question; or nothing."""
    close = get_close_matches(name, names, 1)
    return f"did you mean '{close[0]}'?" if close else ""


def references(tree: Tree) -> list[Reference]:
    """The rules that a tree asks."""
    match tree:
        case Reference():
            return [tree]
        case Not(term):
            return references(term)
        case AllOf(terms) | AnyOf(terms):
            return [found for term in terms for found in references(term)]
        case _:
            return []


def _unknown(rule: str, names: Iterable[str]) -> RuleError:
    return RuleError(rule, "there is no rule of this name", nearest(rule, names) or "define it")


def _compiled(texts: Mapping[str, RuleText]) -> tuple[dict[str, Check], list[RuleError]]:
    """The function of each rule, and what is wrong with those that have none."""
    trees: dict[str, Tree] = {}
    errors: list[RuleError] = []
    for name, text in texts.items():
        try:
            trees[name] = parse(name, text)
        except RuleError as error:
            errors.append(error)
    asked = {name: references(tree) for name, tree in trees.items()}
    for name, found in asked.items():
        for reference in found:
            if reference.rule not in texts:
                remedy = nearest(reference.rule, texts) or "define it, or remove the reference"
                problem = f"it refers to '{reference.rule}', which is no rule"
                errors.append(RuleError(name, problem, remedy, text=str(texts[name]), position=reference.position))
    try:
        order = [*TopologicalSorter({name: [r.rule for r in found] for name, found in asked.items()}).static_order()]
    except CycleError as error:
        # The sorter follows who is asked by whom; people read a cycle as who asks whom.
        cycle: list[str] = error.args[1][::-1]
        problem = "it asks itself: " + " → ".join(cycle)
        errors.append(RuleError(cycle[0], problem, "break the circle at one of these rules", others=cycle[1:-1]))
        order = []
    compiler = _Compiler()
    for name in order:
        if name in trees and all(reference.rule in compiler.checks for reference in asked[name]):
            check, depth = compiler.compiled(trees[name])
            if depth > MAX_DEPTH:
                problem = "too many rules and parentheses lie within each other"
                errors.append(RuleError(name, problem, "say it in fewer steps"))
            else:
                compiler.checks[name] = check
                compiler.depths[name] = depth
    return compiler.checks, errors


class _Compiler:
    """Turns trees into functions. Equal trees share one: hundreds of rules say `rule:admin_api`."""

    def __init__(self) -> None:
        self.checks: dict[str, Check] = {}
        self.depths: dict[str, int] = {}
        self._made: dict[Tree, tuple[Check, int]] = {}

    def compiled(self, tree: Tree) -> tuple[Check, int]:
        """The function, and how many lie within each other in it."""
        if tree not in self._made:
            self._made[tree] = self._make(tree)
        return self._made[tree]

    def _make(self, tree: Tree) -> tuple[Check, int]:
        match tree:
            case Not(term):
                check, depth = self.compiled(term)
                return inverted(check), depth + 1
            case AllOf(terms) | AnyOf(terms):
                parts = [self.compiled(term) for term in terms]
                joined = all_of if isinstance(tree, AllOf) else any_of
                return joined([check for check, _ in parts]), max(depth for _, depth in parts) + 1
            case Role(name):
                return has_role(name), 1
            case Literal(value, wanted):
                return target_is(value, wanted), 1
            case Attribute(path, wanted):
                return caller_is(path, wanted), 1
            case Field():
                return field_is(tree), 1
            case Constant(allows):
                return (always if allows else never), 1
            case Reference():
                return self.checks[tree.rule], self.depths[tree.rule]
