"""Settings: a service that is not configured does not start, and says in one line why."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from proforma.settings import Limits, ServiceSettings
from tests.support.probe import SERVICE
from tests.support.tokens import Tokens

NEEDED = {
    "PROFORMA_DATABASE_URL": "postgresql://a:b@127.0.0.1/c",
    "PROFORMA_KAFKA": "127.0.0.1:9092",
    "PROFORMA_AUTH_ISSUER": "https://issuer.test",
    "PROFORMA_AUTH_AUDIENCE": "proforma",
}


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch, tokens: Tokens) -> pytest.MonkeyPatch:
    """An environment in which a service starts."""
    for name, given in {**NEEDED, "PROFORMA_AUTH_PUBLIC_KEY_FILE": str(tokens.public_key_file)}.items():
        monkeypatch.setenv(name, given)
    return monkeypatch


def read() -> ServiceSettings:
    return ServiceSettings()


def test_they_come_from_the_environment(configured: pytest.MonkeyPatch) -> None:
    configured.setenv("PROFORMA_LIMITS__BATCH_MAX", "7")
    configured.setenv("PROFORMA_SELF_APPROVAL", "true")
    settings = read()
    assert settings.database_url == NEEDED["PROFORMA_DATABASE_URL"]
    assert (settings.limits.batch_max, settings.limits.page_max) == (7, 1_000)
    assert settings.self_approval
    assert not ServiceSettings.model_fields["self_approval"].default


def test_a_jwks_address_is_as_good_as_a_key(configured: pytest.MonkeyPatch) -> None:
    configured.delenv("PROFORMA_AUTH_PUBLIC_KEY_FILE")
    configured.setenv("PROFORMA_AUTH_JWKS_URL", "https://issuer.test/jwks")
    assert read().auth_jwks_url == "https://issuer.test/jwks"


@pytest.mark.parametrize("name", ["PROFORMA_DATABASE_URL", "PROFORMA_MIGRATION_DATABASE_URL"])
def test_an_address_with_its_password_may_be_a_file(configured: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    file = tmp_path / "url"
    file.write_text("postgresql://a:other@127.0.0.1/c\n")
    configured.delenv(name, raising=False)
    configured.setenv(f"{name}_FILE", str(file))
    assert getattr(read(), name.removeprefix("PROFORMA_").lower()) == "postgresql://a:other@127.0.0.1/c"
    configured.setenv(name, "postgresql://a:b@127.0.0.1/c")
    with pytest.raises(ValidationError, match="not both"):
        read()
    configured.delenv(name)
    file.write_text("\n")
    with pytest.raises(ValidationError, match="is empty"):
        read()
    configured.setenv(f"{name}_FILE", str(tmp_path / "nowhere"))
    with pytest.raises(ValidationError, match=f"{name}_FILE.*No such file"):
        read()


def test_what_is_empty_is_not_set(configured: pytest.MonkeyPatch) -> None:
    configured.setenv("PROFORMA_AUTH_JWKS_URL", "")
    configured.setenv("PROFORMA_PORT", "")
    assert (read().auth_jwks_url, read().port) == (None, 8000)


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("PROFORMA_AUTH_PUBLIC_KEY_FILE", None, "no service starts without auth"),
        ("PROFORMA_AUTH_ISSUER", None, "no service starts without auth"),
        ("PROFORMA_AUTH_ISSUER", "", "no service starts without auth"),
        ("PROFORMA_AUTH_AUDIENCE", None, "no service starts without auth"),
        ("PROFORMA_AUTH_PUBLIC_KEY_FILE", "/nowhere/key.pem", "there is no file"),
        ("PROFORMA_DATABASE_URL", None, "database_url"),
        ("PROFORMA_KAFKA", None, "kafka"),
        ("PROFORMA_LIMITS__BATCH_MAXX", "7", "batch_maxx"),
        ("PROFORMA_POOL_SIZE", "0", "pool_size"),
        ("PROFORMA_STATEMENT_TIMEOUT_S", "0", "statement_timeout_s"),
        ("PROFORMA_LOCK_TIMEOUT_S", "0", "lock_timeout_s"),
    ],
)
def test_what_is_missing_or_wrong_stops_the_start(
    configured: pytest.MonkeyPatch, name: str, given: str | None, told: str
) -> None:
    if given is None:
        configured.delenv(name)
    else:
        configured.setenv(name, given)
    with pytest.raises(ValidationError, match=told):
        read()


def test_limits_cannot_be_changed_while_running() -> None:
    limits: Any = Limits()
    with pytest.raises(ValidationError, match="frozen"):
        limits.batch_max = 1


@pytest.mark.parametrize("command", ["api", "worker", "migrate"])
def test_no_command_runs_without_auth(
    configured: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    configured.delenv("PROFORMA_AUTH_PUBLIC_KEY_FILE")
    with pytest.raises(SystemExit) as ended:
        SERVICE.main([command])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("probe: ")
    assert "no service starts without auth" in line


def test_migrate_needs_its_own_login(configured: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        SERVICE.main(["migrate"])
    assert ended.value.code == 2
    assert "PROFORMA_MIGRATION_DATABASE_URL" in capsys.readouterr().err
