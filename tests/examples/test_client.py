"""The demo's client: pages to the end, jobs to theirs, and one clear line for whatever goes wrong."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from examples import demo
from examples.client import DemoError, Progress, Service, Stack, wait_for

Answer = Callable[[httpx.Request], httpx.Response]


def _service(answer: Answer) -> Service:
    http = httpx.Client(transport=httpx.MockTransport(answer))
    return Service(http, "invoicing", "http://invoicing", {"biller": "b-token", "manager": "m-token"})


def test_a_list_is_read_to_its_last_page() -> None:
    pages = {None: (["a", "b"], "2"), "2": (["c"], None)}

    def answer(request: httpx.Request) -> httpx.Response:
        items, following = pages[request.url.params.get("after")]
        assert request.url.params["status"] == "draft"
        assert request.headers["authorization"] == "Bearer b-token"
        return httpx.Response(200, json={"items": [{"id": one} for one in items], "next": following})

    found = list(_service(answer).pages("/v1/invoices", status="draft"))
    assert [one["id"] for one in found] == ["a", "b", "c"]


def test_a_problem_becomes_one_line_with_what_the_service_said() -> None:
    problem = {"detail": "not ready", "errors": [{"pointer": "/0/name", "detail": "too long"}]}
    service = _service(lambda _: httpx.Response(422, json=problem))
    with pytest.raises(DemoError, match=r"POST /v1/x on invoicing answered 422: not ready .*/0/name") as told:
        service.post("/v1/x", "manager", {})
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("body", ["<html>", "[1]"])
def test_an_answer_that_is_no_problem_is_shown_as_it_is(body: str) -> None:
    service = _service(lambda _: httpx.Response(502, text=body))
    with pytest.raises(DemoError, match="502") as told:
        service.get("/v1/x")
    assert body in str(told.value)


def test_a_service_that_is_away_is_named() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(DemoError, match="invoicing does not answer at http://invoicing"):
        _service(answer).get("/v1/x")


def test_creates_go_in_arrays_of_a_thousand_and_keep_their_order() -> None:
    sizes: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies = json.loads(request.content)
        sizes.append(len(bodies))
        return httpx.Response(201, json={"items": bodies})

    bodies = [{"n": number} for number in range(1_500)]
    assert _service(answer).create("/v1/x", "biller", bodies) == bodies
    assert sizes == [1_000, 500]


def _jobs(*statuses: str) -> Answer:
    left = list(statuses)

    def answer(_: httpx.Request) -> httpx.Response:
        job = {"id": "j", "kind": "k", "status": left.pop(0), "done": 1, "total": 2, "result": {"why": "full"}}
        return httpx.Response(200, json=job)

    return answer


def test_a_job_is_waited_for_with_its_progress() -> None:
    seen: list[str] = []
    began = {"id": "j", "kind": "k"}
    ended = _service(_jobs("queued", "running", "succeeded")).job(
        began, "biller", lambda now: seen.append(now["status"])
    )
    assert ended["result"] == {"why": "full"}
    assert seen == ["queued", "running", "succeeded"]


@pytest.mark.parametrize("status", ["failed", "canceled"])
def test_a_job_that_did_not_succeed_is_an_error(status: str) -> None:
    with pytest.raises(DemoError, match=f"k on invoicing {status}.*full"):
        _service(_jobs(status)).job({"id": "j", "kind": "k"}, "biller", lambda _: None)


def test_waiting_ends() -> None:
    with pytest.raises(DemoError, match="the drafts: not done after 0 s"):
        wait_for("the drafts", lambda: None, seconds=0)


def test_without_a_stack_the_demo_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATA", raising=False)
    assert demo.main([]) == 1
    assert "make up" in capsys.readouterr().err


def test_the_stack_file_is_read(tmp_path: Path) -> None:
    services = {name: f"http://{name}/" for name in ("time-expense", "billing-backlog", "invoicing", "scheduler")}
    file = tmp_path / "stack.json"
    file.write_text(json.dumps({"services": services, "tokens": {"biller": "x"}}))
    with Stack(file) as stack:
        assert stack.backlog.url == "http://billing-backlog"
        assert [service.name for service in stack.all] == list(services)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_drawn_on_a_terminal_only() -> None:
    log: Any = io.StringIO()
    quiet = Progress(log)
    quiet.show("1 of 2")
    quiet.clear()
    assert log.getvalue() == ""
    terminal = _Terminal()
    live = Progress(terminal)
    live.show("1 of 2")
    assert "1 of 2" in terminal.getvalue()
