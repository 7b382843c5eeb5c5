"""What an operator's commands show and change: the same as the HTTP routes, in a person's name."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from proforma import commands, jobs, outbox
from proforma.context import Context
from proforma.db import execute
from proforma.operation import operator_commands
from proforma.runtime import Runtime
from proforma.worker import Work, Worker
from tests.conftest import MakeRuntime, MakeTopics
from tests.support.events import DeadLettered, deliver, record_of
from tests.support.probe import HANDLERS, SERVICE, Told
from tests.support.processes import environment
from tests.support.rows import change, rows, value
from tests.support.waits import eventually, running

EVENT = UUID(int=7)

Run = Callable[..., Awaitable[int]]
Letter = Callable[..., Awaitable[str]]


async def ask(session: AsyncSession, context: Context, thing: str) -> None:
    told = f"asked by {context.actor}"
    await execute(session, "update effects set value = $2 where event_id = $1::uuid", thing, told)


@pytest.fixture
async def runtime(make_runtime: MakeRuntime) -> Runtime:
    return await make_runtime("probe")


@pytest.fixture
def run(runtime: Runtime) -> Run:
    """Runs one of the probe's commands; returns its exit code."""

    async def go(*words: str) -> int:
        parser = commands.OneLineParser(prog="probe")
        given = operator_commands(lambda _: Work(HANDLERS, asks={"effect": ask}))
        commands.add_to(parser.add_subparsers(dest="process", required=True), given)
        return await commands.run(runtime, parser.parse_args(words))

    return go


@pytest.fixture
def letter(runtime: Runtime, capsys: pytest.CaptureFixture[str]) -> Letter:
    """Makes a dead letter; returns its id."""

    async def make(event_id: UUID = EVENT) -> str:
        with pytest.raises(DeadLettered):
            await deliver(runtime, HANDLERS, record_of(Told(name="k", value="poison"), event_id))
        capsys.readouterr()  # what the consumer has logged
        return str(await value(runtime, "select id from dead_letters where event_id = $1", event_id))

    return make


def told(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


async def test_dead_letters_are_listed_and_shown(run: Run, letter: Letter, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run("dead-letters", "list") == commands.DONE
    assert capsys.readouterr().out == "none\n"
    one = await letter()
    assert await run("dead-letters", "list") == commands.DONE
    head, line = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["id", "topic", "partition"]
    assert line.startswith(f"{one}  probe.things  0")
    assert line.endswith("BrokenRule: poison is not written")
    assert await run("dead-letters", "list", "--status", "dropped", "--json") == commands.DONE
    assert told(capsys) == []
    assert await run("dead-letters", "show", one) == commands.DONE
    shown = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    assert shown["body"].strip() == '{"name":"k","value":"poison"}'
    assert shown["header ce_id"].strip() == str(EVENT)
    assert await run("dead-letters", "show", one, "--json") == commands.DONE
    assert told(capsys)["event_id"] == str(EVENT)
    assert await run("dead-letters", "show", str(EVENT)) == commands.REFUSED
    assert capsys.readouterr().err == f"probe: no dead letter {EVENT}\n"


async def test_a_list_ends_at_its_limit(
    run: Run, runtime: Runtime, letter: Letter, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        await letter(UUID(int=number + 1))
    assert await run("dead-letters", "list", "--limit", "2", "--json") == commands.DONE
    assert [one["offset"] for one in told(capsys)] == [0, 1]
    for wrong in ("0", "-1", "x", "10001", "²"):
        with pytest.raises(SystemExit):
            await run("dead-letters", "list", "--limit", wrong)


async def test_a_replay_keeps_who_and_a_repaired_body(
    run: Run, runtime: Runtime, letter: Letter, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    one = await letter()
    assert await run("dead-letters", "replay", one, "--by", "ada") == commands.REFUSED
    assert "still cannot take effect: poison is not written" in capsys.readouterr().err
    repaired = tmp_path / "body.json"
    repaired.write_text('{"name": "k", "value": "good"}')
    assert await run("dead-letters", "replay", one, "--by", "ada", "--body", str(repaired), "--json") == commands.DONE
    assert [(row["status"], row["decided_by"]) for row in told(capsys)] == [("replayed", "ada")]
    assert await rows(runtime, "select event_id, value from effects") == [{"event_id": EVENT, "value": "good"}]
    assert await value(runtime, "select repaired from dead_letters") == '{"name": "k", "value": "good"}'


@pytest.mark.parametrize(
    ("given", "more", "says"),
    [(None, [], "No such file"), (b"\xff", [], "can't decode"), (b"{}", [str(EVENT)], "for one letter"),
     (b"\x00", [], "none of them NUL")],
)  # fmt: skip
async def test_a_body_that_cannot_be_used_changes_nothing(
    run: Run, runtime: Runtime, letter: Letter, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    given: bytes | None, more: list[str], says: str,
) -> None:  # fmt: skip
    one = await letter()
    file = tmp_path / "body.json"
    if given is not None:
        file.write_bytes(given)
    assert await run("dead-letters", "replay", one, *more, "--body", str(file), "--by", "ada") == commands.REFUSED
    assert says in capsys.readouterr().err
    assert await value(runtime, "select status from dead_letters") == "waiting"


async def test_one_after_another_and_a_refused_one_stops_no_other(
    run: Run, runtime: Runtime, letter: Letter, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = await letter(UUID(int=1)), await letter(UUID(int=2))
    words = ("dead-letters", "drop", first, str(EVENT), second, "--by", "ada")
    with pytest.raises(SystemExit) as ended:
        await run(*words)
    assert ended.value.code == commands.MISUSED
    with pytest.raises(SystemExit):
        await run(*words, "--reason", "")
    assert capsys.readouterr().err.splitlines() == [
        "probe dead-letters drop: the following arguments are required: --reason",
        "probe dead-letters drop: argument --reason: String should have at least 1 character",
    ]
    assert await run(*words, "--reason", "sent by mistake", "--json") == commands.REFUSED
    captured = capsys.readouterr()
    assert [row["id"] for row in json.loads(captured.out)] == [first, second]
    assert captured.err == f"probe: {EVENT}: no dead letter {EVENT}\n"
    kept = await rows(runtime, "select distinct status, decided_by, decision_reason from dead_letters")
    assert kept == [{"status": "dropped", "decided_by": "ada", "decision_reason": "sent by mistake"}]


async def test_the_outbox_tells_what_is_left_and_who_sends(
    run: Run, runtime: Runtime, make_topics: MakeTopics, capsys: pytest.CaptureFixture[str]
) -> None:
    async with runtime.database.transaction() as session:
        await outbox.emit(session, runtime.context(), [Told(name="k", value="1"), Told(name="k", value="2")])
    assert await run("outbox", "status") == commands.DONE
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line]
    assert lines[0] == ["pending", "2"]
    assert lines[1] == ["oldest", "2026-03-02T09:00:00Z"]
    assert lines[2] == ["leader", "nobody:", "no", "worker", "sends"]
    assert lines[-1] == ["probe.things", "2", "2026-03-02T09:00:00Z"]
    await make_topics("probe.things")
    async with running(Worker(runtime, Work())):
        await eventually(lambda: value(runtime, "select count(*) = 0 from outbox where not published"))
        assert await run("outbox", "status", "--json") == commands.DONE
        found = told(capsys)
    assert (found["pending"], found["oldest"], found["topics"]) == (0, None, [])
    assert found["leader"]["process"] == "proforma-probe-test"


async def test_jobs_are_listed_newest_first(run: Run, runtime: Runtime, capsys: pytest.CaptureFixture[str]) -> None:
    async with runtime.database.transaction() as session:
        first = await jobs.start(session, runtime.context("ada"), "some", {})
    await change(runtime, "update jobs set created_at = created_at - interval '1 day', status = 'failed'")
    async with runtime.database.transaction() as session:
        second = await jobs.start(session, runtime.context("bo"), "other", {})
    assert await run("jobs", "list", "--json") == commands.DONE
    assert [(one["id"], one["created_by"]) for one in told(capsys)] == [(str(second.id), "bo"), (str(first.id), "ada")]
    assert await run("jobs", "list", "--status", "failed") == commands.DONE
    head, line = capsys.readouterr().out.splitlines()
    assert head.split()[:4] == ["id", "kind", "status", "done"]
    assert line.split()[:4] == [str(first.id), "some", "failed", "0"]


async def test_what_waits_is_listed_and_asked_again(
    run: Run, runtime: Runtime, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run("waiting", "list") == commands.DONE
    assert capsys.readouterr().out == "nothing waits\n"
    thing = uuid4()
    await change(runtime, "insert into effects values ($1, 'k', 'waits')", thing)
    assert await run("waiting", "list", "--json") == commands.DONE
    assert [(one["kind"], one["id"]) for one in told(capsys)] == [("effect", str(thing))]
    assert await run("waiting", "ask", str(thing), "--by", "ada") == commands.DONE
    assert await value(runtime, "select value from effects") == "asked by ada"
    assert await run("waiting", "ask", str(thing), "--by", "ada") == commands.REFUSED
    assert capsys.readouterr().err == f"probe: nothing waits under {thing}\n"


async def test_a_database_that_is_away_is_one_line(
    make_runtime: MakeRuntime, capsys: pytest.CaptureFixture[str]
) -> None:
    runtime = await make_runtime("probe")
    nowhere = SERVICE.runtime(
        runtime.settings.model_copy(update={"database_url": "postgresql://a:secret@127.0.0.1:1/none"}), "test"
    )
    parsed = SERVICE.parser().parse_args(["waiting", "list"])
    assert await commands.run(nowhere, parsed) == commands.AWAY
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("probe: ")
    assert "secret" not in line


def test_the_process_prints_json_alone_and_ends_with_the_code(runtime_environment: dict[str, str]) -> None:
    import subprocess
    import sys

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tests.support.probe", *words],
            env=runtime_environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    fine = call("waiting", "list", "--json")
    assert (fine.returncode, fine.stdout, fine.stderr) == (0, "[]\n", "")
    gone = call("dead-letters", "show", str(EVENT))
    assert (gone.returncode, gone.stdout, gone.stderr) == (1, "", f"probe: no dead letter {EVENT}\n")


@pytest.fixture
def runtime_environment(runtime: Runtime) -> dict[str, str]:
    return environment(runtime)
