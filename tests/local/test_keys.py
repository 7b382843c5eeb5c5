"""The ready-made tokens are what the services accept."""

from datetime import timedelta
from pathlib import Path

import jwt
import pytest

from local.keys import AUDIENCE, ISSUER, ROLES, Keys


def test_a_token_for_each_role(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    public = keys.public_file.read_text()
    tokens = keys.tokens()
    assert set(tokens) == {"submitter", "approver", "biller", "manager", "admin", "service"} == set(ROLES)
    for role, token in tokens.items():
        claims = jwt.decode(token, public, algorithms=["RS256"], audience=AUDIENCE, issuer=ISSUER)
        assert claims["roles"] == [role]
        assert claims["sub"] == f"local-{role}"
        assert claims["exp"] - claims["iat"] == 365 * 86_400


def test_the_keys_stay_and_are_closed_to_others(tmp_path: Path) -> None:
    first = Keys(tmp_path)
    key = first.private_file.read_bytes()
    assert Keys(tmp_path).private_file.read_bytes() == key
    assert first.private_file.stat().st_mode & 0o077 == 0


def test_a_pair_that_was_not_finished_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "private.pem").write_text("half")
    token = Keys(tmp_path).token("somebody", ["biller"], valid=timedelta(minutes=1))
    public = (tmp_path / "public.pem").read_text()
    assert jwt.decode(token, public, algorithms=["RS256"], audience=AUDIENCE)["sub"] == "somebody"


def test_another_installation_does_not_accept_it(tmp_path: Path) -> None:
    token = Keys(tmp_path / "one").tokens()["admin"]
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token, Keys(tmp_path / "two").public_file.read_text(), algorithms=["RS256"], audience=AUDIENCE)
