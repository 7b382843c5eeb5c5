"""`make up` and its kin, on stub services: order, ports, restarts, and errors that name what is wrong.

One stack for all of these tests; each begins by putting it up, which is quick where it is up.
"""

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from local import services
from local.__main__ import status
from local.backend import Backend
from local.processes import HOST, LocalError, free_port
from local.services import Part
from local.stack import Stack

pytestmark = pytest.mark.xdist_group("stack")

MakeStack = Callable[[], Stack]


@pytest.fixture(scope="module")
def make_stack(tmp_path_factory: pytest.TempPathFactory, backend: Backend, stub_services: None) -> Iterator[MakeStack]:
    """Gives the stack as a new command sees it. Its Kafka is the tests' own, because the stubs do not talk to it."""
    folder = tmp_path_factory.mktemp("stack") / "kept"

    def make() -> Stack:
        return Stack(folder, {"KAFKA": backend.kafka}, durable=False)

    yield make
    make().reset()


@pytest.fixture
def stack(make_stack: MakeStack) -> Stack:
    """The stack, up."""
    make_stack().up()
    return make_stack()


class Healthy(BaseHTTPRequestHandler):
    """Somebody else's service."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


def _facts(stack: Stack) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(stack.file.read_text())
    return facts


def _part(stack: Stack, name: str) -> Part:
    return next(part for part in stack.parts if part.name == name)


def test_up_tells_where_everything_is(
    stack: Stack, make_stack: MakeStack, backend: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = _facts(stack)
    names = {"time-expense", "billing-backlog", "invoicing", "scheduler"}
    assert set(facts["services"]) == set(facts["workers"]) == set(facts["databases"]) == names
    assert facts["kafka"] == backend.kafka
    assert facts["tokens"]["biller"].count(".") == 2
    assert all(services.answers_ok(url) for url in facts["workers"].values())
    assert stack.file.stat().st_mode & 0o077 == 0, "tokens and passwords are in it"
    assert status(stack) == 0
    capsys.readouterr()

    make_stack().up()
    assert "up already" in capsys.readouterr().out
    assert _facts(stack) == facts, "the second time only looks"


def test_what_died_is_started_again_where_it_was(stack: Stack, make_stack: MakeStack) -> None:
    before = _facts(stack)
    stack.postgres.kill()
    _part(stack, "invoicing-api").kill()
    assert status(stack) == 1
    make_stack().up()
    after = _facts(stack)
    assert {name for name, pid in after["pids"].items() if before["pids"][name] != pid} == {
        "postgres",
        "invoicing-api",
    }
    assert (after["services"], after["databases"]) == (before["services"], before["databases"])


def test_other_settings_start_the_services_again(
    stack: Stack, make_stack: MakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _facts(stack)["pids"]
    monkeypatch.setenv("PROFORMA_LOG_LEVEL", "DEBUG")
    make_stack().up()
    after = _facts(stack)["pids"]
    assert before["postgres"] == after["postgres"]
    assert all(before[name] != after[name] for name in services.USUAL_PORTS)


@pytest.mark.parametrize(("kind", "name"), [("migrate", "invoicing-migrate"), ("worker", "invoicing-worker")])
def test_a_failure_names_who_and_why(
    stack: Stack, make_stack: MakeStack, monkeypatch: pytest.MonkeyPatch, kind: str, name: str
) -> None:
    _part(stack, "invoicing-worker").kill()
    monkeypatch.setenv("STUB_FAILS", f"invoicing {kind}")
    with pytest.raises(LocalError, match=f"the stub was told to fail as {kind}") as error:
        make_stack().up()
    assert name in str(error.value)


def test_who_is_never_ready_is_named(stack: Stack, make_stack: MakeStack, monkeypatch: pytest.MonkeyPatch) -> None:
    part = _part(stack, "scheduler-api")
    part.kill()
    monkeypatch.setenv("STUB_FAILS", "health")
    monkeypatch.setattr(services, "READY_SECONDS", 1)
    with pytest.raises(LocalError, match=r"scheduler-api: not ready within 1 s"):
        make_stack().up()
    assert status(make_stack()) == 1
    part.kill()


def test_an_address_where_nobody_answers_is_an_error(
    make_stack: MakeStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.stack.GIVEN_SECONDS", 0.2)
    nowhere = {"KAFKA": f"{HOST}:1", "POSTGRES": f"postgresql://nobody@{HOST}:1/none"}
    with pytest.raises(LocalError, match=r"nothing answers at the address in (KAFKA|POSTGRES)"):
        Stack(tmp_path, {**os.environ, **nowhere}).up()


def test_down_keeps_the_data_and_a_taken_port_is_left_alone(
    stack: Stack, make_stack: MakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    passwords = (stack.folder / "passwords.json").read_text()
    make_stack().down()
    assert not any(make_stack().running().values())
    assert not stack.file.exists()
    make_stack().down()
    with socket.create_server((HOST, 0)) as other:
        usual = int(other.getsockname()[1])
        monkeypatch.setitem(services.USUAL_PORTS, "invoicing-api", usual)
        make_stack().up()
        assert _facts(stack)["services"]["invoicing"] != f"http://{HOST}:{usual}"
    assert (stack.folder / "passwords.json").read_text() == passwords


def test_a_port_that_is_taken_just_before_the_start_is_left_to_who_has_it(
    stack: Stack, make_stack: MakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ThreadingHTTPServer((HOST, 0), Healthy) as other:
        threading.Thread(target=other.serve_forever).start()
        try:
            theirs = int(other.server_address[1])
            looks = iter([theirs])
            monkeypatch.setattr(services, "free_port", lambda *a, **k: next(looks, None) or free_port(*a, **k))
            _part(stack, "invoicing-worker").kill()
            make_stack().up()
        finally:
            other.shutdown()
    facts = _facts(stack)
    assert set(facts["pids"]) == set(services.USUAL_PORTS) | {"postgres"}
    assert facts["workers"]["invoicing"] != f"http://{HOST}:{theirs}/health/ready"
    assert services.answers_ok(facts["workers"]["invoicing"])


def test_reset_leaves_nothing(stack: Stack, make_stack: MakeStack) -> None:
    running = [each for each in stack.running().values() if each]
    make_stack().reset()
    assert not stack.folder.exists()
    assert not any(each.alive for each in running)
