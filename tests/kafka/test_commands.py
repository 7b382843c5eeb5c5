"""The commands about positions, as an operator types them."""

import json

import pytest

from proforma import commands
from proforma.commands import DONE, MISUSED, REFUSED, OneLineParser
from proforma.runtime import Runtime
from tests.conftest import MakeRuntime, MakeTopics
from tests.kafka.exchanged import TOPIC, consumed
from tests.support.kafka import Broker
from tests.support.probe import SERVICE
from tests.support.rows import change, rows, value

REASON = ("--reason", "Kafka was made anew", "--by", "ann")


async def run(runtime: Runtime, *words: str) -> int:
    parser = OneLineParser(prog="probe")
    commands.add_to(parser.add_subparsers(dest="process", required=True), SERVICE.commands())
    return await commands.run(runtime, parser.parse_args(words))


async def test_positions_are_shown_set_and_sent_again(
    make_runtime: MakeRuntime, make_topics: MakeTopics, broker: Broker, capsys: pytest.CaptureFixture[str]
) -> None:
    runtime = await make_runtime("probe")
    await make_topics(TOPIC, partitions=1)
    await consumed(runtime, broker, 1, 2, 3)
    await change(runtime, "update consumed set next_offset = 9")

    capsys.readouterr()
    assert await run(runtime, "positions", "show", "--json") == DONE
    (shown,) = json.loads(capsys.readouterr().out)
    assert (shown["position"], shown["log_ends"]) == (9, 3)
    assert shown["stopped_because"] == "the log ends at 3, before the position 9"

    assert await run(runtime, "positions", "set", TOPIC, "--to", "8", *REASON) == REFUSED
    assert "offsets from 0 to 3: 8 is none of them" in capsys.readouterr().err
    assert await run(runtime, "positions", "set", TOPIC, "--partition", "0", "--to", "2", *REASON, "--json") == DONE
    assert json.loads(capsys.readouterr().out) == [{"topic": TOPIC, "partition": 0, "position": 2}]
    assert await run(runtime, "positions", "set", TOPIC, "--to", "earliest", *REASON) == DONE
    assert await value(runtime, "select next_offset from consumed") == 0

    await change(runtime, "insert into outbox (event_id, topic, type, key, body, created_at, published, published_at) "
                 f"values (gen_random_uuid(), '{TOPIC}', 't', 'k', '', '2026-03-01', true, '2026-03-01')")  # fmt: skip
    late = ("outbox", "send-again", TOPIC, "--since", "2026-03-02", *REASON, "--json")
    assert await run(runtime, *late) == DONE
    assert await run(runtime, "outbox", "send-again", TOPIC, *REASON, "--json") == DONE
    said = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["events"] for line in said[-2:]] == [0, 1]
    assert await rows(runtime, "select published from outbox") == [{"published": False}]

    assert await run(runtime, "positions", "history", "--json") == DONE
    history = json.loads(capsys.readouterr().out)
    kinds = [(one["kind"], one["decided_by"]) for one in history]
    assert kinds == [("sent_again", "ann")] * 2 + [("position_set", "ann")] * 2
    assert {one["reason"] for one in history} == {"Kafka was made anew"}


@pytest.mark.parametrize(
    "words",
    [
        ("positions", "set", TOPIC, "--to", "latest", *REASON),
        ("positions", "set", TOPIC, "--to", "-1", *REASON),
        ("positions", "set", TOPIC, "--to", "earliest"),
        ("positions", "set", TOPIC, "--to", "earliest", "--reason", ""),
        ("outbox", "send-again", TOPIC, "--since", "yesterday", *REASON),
    ],
)
async def test_what_is_called_wrongly_is_said(make_runtime: MakeRuntime, words: tuple[str, ...]) -> None:
    runtime = await make_runtime("probe")
    with pytest.raises(SystemExit) as ended:
        await run(runtime, *words)
    assert ended.value.code == MISUSED
