"""The reference interpreter of the policy language, to compare answers with."""

from __future__ import annotations

import re
from collections.abc import Mapping

from oslo_config import cfg
from oslo_policy import policy

from cumulet.core.access.rule_language import RuleText


class FieldCheck(policy.Check):
    """`field:resource:name=value`, a check that the network service brings along."""

    def __call__(self, target: Mapping[str, object], creds: Mapping[str, object], enforcer: object) -> bool:
        resource, _, rest = self.match.partition(":")
        name, _, value = rest.partition("=")
        found = target.get(name, target.get(f"{resource}:{name}"))
        if found is None:
            return False
        return bool(re.match(value[1:], str(found))) if value.startswith("~") else str(found) == value


class Oracle:
    def __init__(self, texts: Mapping[str, RuleText]) -> None:
        conf = cfg.ConfigOpts()
        conf([], project="oracle", default_config_files=[])
        self.enforcer = policy.Enforcer(conf, use_conf=False)
        policy.register("field", FieldCheck)
        self.enforcer.set_rules(policy.Rules.from_dict(dict(texts)), use_conf=False)

    def allows(self, rule: str, target: Mapping[str, object], creds: Mapping[str, object]) -> bool:
        return bool(self.enforcer.enforce(rule, dict(target), dict(creds)))
