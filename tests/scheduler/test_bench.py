"""The benchmark still runs: it says what it says of the code as it is."""

from bench.scheduler_day import measure, report
from local.backend import Backend


async def test_a_short_day(backend: Backend) -> None:
    result = await measure(backend.postgres, backend.kafka, 40)
    lines = report(result).splitlines()
    assert lines[0] == "40 contract lines due on one day"
    assert [line.split()[0] for line in lines[2:]] == ["floor", "publish", "send", "build"]
    assert min(result.floor.seconds, result.published.seconds, result.sent.seconds) > 0
