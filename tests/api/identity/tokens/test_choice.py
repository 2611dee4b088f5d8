"""What becomes of tokens when another form is chosen, and how one is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from joserfc.jwk import ECKey

from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from cumulet.programs.cloud import identity_settings
from cumulet.programs.keys import rotate
from cumulet.programs.settings import Settings, SettingsError
from tests.api.identity.cloud import TOKEN_PROVIDERS, Cloud, open_cloud
from tests.api.identity.tokens.accepting import accepts

pytestmark = pytest.mark.db


@pytest.mark.parametrize("token_provider", TOKEN_PROVIDERS)
@pytest.mark.parametrize("later", TOKEN_PROVIDERS)
async def test_tokens_outlive_another_choice_until_their_keys_are_taken_away(
    cloud: Cloud, database: Database, bus: MemoryBus, token_provider: str, later: str
) -> None:
    state = cloud.room.settings.state
    before = await cloud.login("demo")
    again = await open_cloud(database, bus, state, clock=cloud.room.clock, token_provider=later)
    assert await accepts(again, before.token)
    assert again.room.tokens.chosen.recognises((await again.login("demo")).token)
    directory = state / f"{token_provider}-keys"
    if token_provider != later and directory.exists():
        shutil.rmtree(directory)
        assert not await accepts(again, before.token)
        assert await accepts(again, (await again.login("demo")).token)


@pytest.mark.parametrize(
    ("identity", "named"),
    [({"token_provider": "pki"}, "token_provider"), ({"token_provider": "jws"}, "private.pem holds no")],
)
def test_what_cannot_be_used_is_refused_by_its_name(tmp_path: Path, identity: dict[str, str], named: str) -> None:
    private = tmp_path / "jws-keys" / "private"
    private.mkdir(parents=True)
    (private / "private.pem").write_bytes(ECKey.generate_key("P-384").as_pem(private=True))
    with pytest.raises(SettingsError, match=named):
        identity_settings(Settings(state_dir=str(tmp_path), identity=identity))


def test_keys_of_the_chosen_form_turn(tmp_path: Path) -> None:
    (tmp_path / "receipt-keys").mkdir()
    in_force = tmp_path / "cumulet.toml"
    for provider, told in (("jws", "jws-keys: key "), ("fernet", "fernet-keys: key 2"), ("uuid", "")):
        in_force.write_text(f'[identity]\ntoken_provider = "{provider}"\n')
        result = CliRunner().invoke(rotate, ["--state", str(tmp_path), "tokens"])
        assert result.exit_code == 0, result.output
        lines = result.output.splitlines()
        assert len(lines) == (2 if told else 1)
        assert told in lines[0]
        assert "receipt-keys: key" in lines[-1]
