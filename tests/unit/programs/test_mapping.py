"""`cumulet mapping`, and the files that the settings of identity name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cumulet.programs.cloud import identity_settings
from cumulet.programs.mapping import mapping
from cumulet.programs.settings import Settings, SettingsError

RULES = [
    {
        "local": [{"user": {"name": "{0}"}}, {"groups": "{1}", "domain": {"id": "d"}}],
        "remote": [{"type": "UserName"}, {"type": "Groups", "blacklist": ["Finance"]}],
    }
]


def tried(folder: Path, rules: Any, attributes: str) -> Any:
    (folder / "rules.json").write_text(rules if isinstance(rules, str) else json.dumps(rules))
    (folder / "attributes").write_text(attributes)
    return CliRunner().invoke(mapping, [str(folder / "rules.json"), str(folder / "attributes")])


@pytest.mark.parametrize("rules", [RULES, {"rules": RULES}])
def test_what_rules_make_of_somebody(tmp_path: Path, rules: Any) -> None:
    result = tried(tmp_path, rules, "UserName: jane\n\nGroups: Developers;Finance\n")
    assert result.exit_code == 0, result.output
    assert json.loads(result.output) == {
        "user": {"type": "ephemeral", "id": "jane", "name": "jane", "domain": {"id": "Federated"}},
        "group_ids": [],
        "group_names": [{"name": "Developers", "domain": {"id": "d"}}],
        "projects": [],
    }


@pytest.mark.parametrize(
    ("rules", "attributes", "said"),
    [
        ("{", "", "rules.json"),
        ({}, "", "rules.json"),
        ([{"local": []}], "", "remote"),
        (RULES, "UserName: jane", "nobody is let in: no rule matches"),
    ],
)
def test_why_nothing_comes_of_it(tmp_path: Path, rules: Any, attributes: str, said: str) -> None:
    result = tried(tmp_path, rules, attributes)
    assert result.exit_code == 1
    assert said in result.output


@pytest.mark.parametrize(
    ("identity", "named"),
    [
        ({"saml_providers": {"a": {"entity_id": "x", "certificates": ["/nowhere.pem"]}}}, "saml_providers.a: /nowhere"),
        ({"saml_providers": {"a": {"entity_id": "x"}}}, "certificates"),
        ({"oidc": {"a": {"issuer": "x", "client_id": "y", "ca_file": "/nowhere.pem"}}}, "oidc.a: /nowhere"),
        ({"oidc": {"a": {"issuer": "x"}}}, "client_id"),
        ({"saml": {"key": "/nowhere.key"}}, "saml: /nowhere"),
        ({"trusted_dashboards": "https://x"}, "trusted_dashboards"),
    ],
)
def test_settings_that_cannot_be_used(tmp_path: Path, identity: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        identity_settings(Settings(state_dir=str(tmp_path), identity=identity))
