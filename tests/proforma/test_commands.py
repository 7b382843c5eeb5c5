"""An operator's commands: how they are called, answer and end."""

import argparse
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from proforma import commands
from proforma.commands import Command
from proforma.errors import Conflict
from proforma.runtime import Runtime
from tests.conftest import MakeRuntime


def two_words(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", type=UUID)


async def refused(_: Runtime, __: argparse.Namespace) -> int:
    raise Conflict("not in this state")


async def who(runtime: Runtime, arguments: argparse.Namespace) -> int:
    commands.show_one({"actor": commands.acting(runtime, arguments).actor, "missing": None}, arguments)
    return commands.DONE


async def away(_: Runtime, __: argparse.Namespace) -> int:
    raise ConnectionError("nobody\nthere")


async def bug(_: Runtime, __: argparse.Namespace) -> int:
    raise ZeroDivisionError


PLANTED = (
    Command("things refuse", "refuses", two_words, refused),
    Command("who", "says who", commands.no_arguments, who, changes=True),
    Command("away", "finds nobody", commands.no_arguments, away),
    Command("bug", "is wrong", commands.no_arguments, bug),
)

Run = Callable[..., Any]


@pytest.fixture
def run(make_runtime: MakeRuntime) -> Run:
    """Runs a planted command; returns its exit code."""

    async def go(*words: str) -> int:
        parser = commands.OneLineParser(prog="probe")
        commands.add_to(parser.add_subparsers(dest="process", required=True), PLANTED)
        return await commands.run(await make_runtime("probe"), parser.parse_args(words))

    return go


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["things", "refuse", "no-id"], "probe things refuse: argument id: invalid UUID value: 'no-id'"),
        (["things", "refuse"], "probe things refuse: the following arguments are required: id"),
        (["things"], "probe things: the following arguments are required: verb"),
        (["who", "--by", ""], "probe who: argument --by: a name of 1 to 255 printable characters"),
        (["who", "--by", "a\nb"], "probe who: argument --by: a name of 1 to 255 printable characters"),
        (["refuse"], "probe: argument process: invalid choice: 'refuse' (choose from things, who, away, bug)"),
    ],
)
async def test_what_is_called_wrongly_is_one_line(
    run: Run, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        await run(*words)
    assert ended.value.code == commands.MISUSED
    captured = capsys.readouterr()
    assert (captured.out, captured.err.replace("'things', 'who', 'away', 'bug'", "things, who, away, bug")) == (
        "", f"{told}\n",
    )  # fmt: skip


async def test_a_refusal_is_one_line(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run("things", "refuse", str(UUID(int=1))) == commands.REFUSED
    assert capsys.readouterr().err == "probe: not in this state\n"


async def test_what_is_away_is_one_line_and_a_bug_is_not_hidden(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run("away") == commands.AWAY
    assert capsys.readouterr().err == "probe: ConnectionError: nobody\n"
    with pytest.raises(ZeroDivisionError):
        await run("bug")


async def test_the_person_is_the_one_named_or_the_one_logged_in(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "bo")
    assert await run("who") == commands.DONE
    assert capsys.readouterr().out == "actor    bo\nmissing  -\n"
    assert await run("who", "--by", "ada", "--json") == commands.DONE
    assert json.loads(capsys.readouterr().out) == {"actor": "ada", "missing": None}

    def nobody() -> str:
        raise OSError("no name")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert await run("who") == commands.REFUSED
    assert capsys.readouterr().err == "probe: nobody knows your name here: say it by --by\n"


def test_a_table_has_one_line_a_row_and_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    plain = argparse.Namespace(json=False)
    commands.show([{"id": UUID(int=1), "text": "a\nb\x1b[31m"}, {"id": 12, "text": None}], plain)
    first, second, third = capsys.readouterr().out.splitlines()
    assert first.split() == ["id", "text"]
    assert second == f"{UUID(int=1)}  a b [31m"
    assert third.split() == ["12", "-"]
    commands.show([], plain, none="nothing waits")
    assert capsys.readouterr().out == "nothing waits\n"
    commands.show([], argparse.Namespace(json=True))
    assert capsys.readouterr().out == "[]\n"
