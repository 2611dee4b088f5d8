"""The functions that rules are made of: each takes (target, credentials) and tells whether it is satisfied.

They run several times in every request, so the everyday forms (one role, one attribute against one place) have a short
path of their own. None of them raises: what is missing, or of another shape than the rule expects, does not satisfy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from cumulet.core.access.rule_trees import Field, Place, Template

Check = Callable[[Mapping[str, object], Mapping[str, object]], bool]
"""(target, credentials) → may he?"""

_ABSENT = object()
_SEVERAL = (list, tuple, set, frozenset)
_STEP = re.compile(r"[.:]")


def always(target: Mapping[str, object], creds: Mapping[str, object]) -> bool:
    return True


def never(target: Mapping[str, object], creds: Mapping[str, object]) -> bool:
    return False


def inverted(check: Check) -> Check:
    return lambda target, creds: not check(target, creds)


def all_of(checks: Sequence[Check]) -> Check:
    if len(checks) == 2:
        first, second = checks
        return lambda target, creds: first(target, creds) and second(target, creds)

    def every(target: Mapping[str, object], creds: Mapping[str, object]) -> bool:
        for check in checks:  # noqa: SIM110 - all() costs twice as much for so few
            if not check(target, creds):
                return False
        return True

    return every


def any_of(checks: Sequence[Check]) -> Check:
    if len(checks) == 2:
        first, second = checks
        return lambda target, creds: first(target, creds) or second(target, creds)

    def some(target: Mapping[str, object], creds: Mapping[str, object]) -> bool:
        for check in checks:  # noqa: SIM110 - any() costs twice as much for so few
            if check(target, creds):
                return True
        return False

    return some


def has_role(name: Template) -> Check:
    """The caller has this role. Upper and lower case do not matter."""
    text_of = _text_of(name)

    def has_role_of_target(target: Mapping[str, object], creds: Mapping[str, object]) -> bool:
        wanted = text_of(target)
        return wanted is not None and _is_among(wanted.lower(), creds.get("roles"))

    constant = _constant(name)
    if constant is None:
        return has_role_of_target
    role = constant.lower()

    def has_this_role(target: Mapping[str, object], creds: Mapping[str, object]) -> bool:
        return _is_among(role, creds.get("roles"))

    return has_this_role


def target_is(value: str, wanted: Template) -> Check:
    """The target gives this very text."""
    text_of = _text_of(wanted)
    return lambda target, creds: text_of(target) == value


def caller_is(path: tuple[str, ...], wanted: Template) -> Check:
    """The credentials hold, under this path, what is wanted."""
    text_of = _text_of(wanted)
    # `system` is the older name of the scope; policies say `system:all` as well as `system_scope:all`.
    head = "system_scope" if path == ("system",) else path[0]
    rest = path[1:]

    def holds(target: Mapping[str, object], creds: Mapping[str, object]) -> bool:
        wanted_text = text_of(target)
        if wanted_text is None:
            return False
        found = creds.get(head, _ABSENT)
        if type(found) is str and not rest:
            return found == wanted_text
        return found is not _ABSENT and _holds(found, rest, wanted_text)

    return holds


def field_is(field: Field) -> Check:
    """A field of the target has a value, or begins with a pattern.

    Where the target lacks it, its parent may have it: then it is given as `resource:name`.
    """
    own, parents = _finder(field.name), _finder(f"{field.resource}:{field.name}")
    value, pattern = field.value, field.pattern

    def has_value(target: Mapping[str, object], creds: Mapping[str, object]) -> bool:
        found = own(target)
        if found is _ABSENT:
            found = parents(target)
        if found is _ABSENT or found is None:
            return False
        return str(found) == value if pattern is None else pattern.match(str(found)) is not None

    return has_value


def _is_among(role: str, roles: object) -> bool:
    if not isinstance(roles, _SEVERAL):
        return False
    if role in roles:
        return True
    for name in roles:  # noqa: SIM110 - any() costs twice as much for so few
        if name.lower() == role:
            return True
    return False


def _holds(found: object, path: tuple[str, ...], wanted: str) -> bool:
    if isinstance(found, _SEVERAL):
        return any(_holds(one, path, wanted) for one in found)
    if not path:
        return str(found) == wanted
    return isinstance(found, Mapping) and path[0] in found and _holds(found[path[0]], path[1:], wanted)


def _constant(template: Template) -> str | None:
    return template[0] if len(template) == 1 and isinstance(template[0], str) else None


def _text_of(template: Template) -> Callable[[Mapping[str, object]], str | None]:
    """What a template says of a target; None where the target lacks something."""
    constant = _constant(template)
    if constant is not None:
        return lambda target: constant
    if len(template) == 1 and isinstance(template[0], Place):
        return _text_at(template[0].name)
    parts = [_text_at(part.name) if isinstance(part, Place) else _text_of((part,)) for part in template]

    def joined(target: Mapping[str, object]) -> str | None:
        texts = [part(target) for part in parts]
        return None if None in texts else "".join(text for text in texts if text)

    return joined


def _text_at(name: str) -> Callable[[Mapping[str, object]], str | None]:
    find = _finder(name)

    def text_at(target: Mapping[str, object]) -> str | None:
        found = target.get(name, _ABSENT)
        if type(found) is str:
            return found
        if found is _ABSENT:
            found = find(target)
        return None if found is _ABSENT else str(found)

    return text_at


def _finder(name: str) -> Callable[[Mapping[str, object]], object]:
    """What a target has under a name; `user.id` and `network:project_id` may also be one mapping within another."""
    steps = _STEP.split(name)
    if len(steps) == 1:
        return lambda target: target.get(name, _ABSENT)

    def find(target: Mapping[str, object]) -> object:
        found: object = target.get(name, _ABSENT)
        if found is not _ABSENT:
            return found
        found = target
        for step in steps:
            if not isinstance(found, Mapping):
                return _ABSENT
            found = found.get(step, _ABSENT)
        return found

    return find
