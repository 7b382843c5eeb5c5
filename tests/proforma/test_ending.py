"""A worker's end: waited for, then cut off; nothing takes longer than a container is given."""

import asyncio

import pytest

from proforma.ending import FINISH_S, HANG_UP_S, end_in_time

CONTAINER_S = 10


async def test_what_ends_by_itself_is_waited_for() -> None:
    stop, done = asyncio.Event(), []

    async def work() -> None:
        await stop.wait()
        await asyncio.sleep(0.05)
        done.append("batch")

    stop.set()
    await end_in_time(work(), stop)
    assert done == ["batch"]


async def test_what_hangs_is_cut_off() -> None:
    stop, told = asyncio.Event(), []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            told.append("rolled back")

    stop.set()
    async with asyncio.timeout(20):
        await end_in_time(work(), stop, finish_s=0.05)
    assert told == ["rolled back"]
    assert FINISH_S + HANG_UP_S < CONTAINER_S


def test_good_byes_that_hang_do_not_keep_the_process() -> None:
    told = []

    async def part() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            try:
                await asyncio.Event().wait()
            finally:
                told.append("hung up")

    async def work() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(part())

    async def process() -> None:
        stop = asyncio.Event()
        stop.set()
        await end_in_time(work(), stop, finish_s=0.05, hang_up_s=0.05)
        told.append("left")

    asyncio.run(asyncio.wait_for(process(), 20))
    assert told == ["left", "hung up"]


async def test_nothing_is_cut_off_without_a_stop() -> None:
    async def work() -> None:
        await asyncio.sleep(0.2)

    async with asyncio.timeout(20):
        await end_in_time(work(), asyncio.Event(), finish_s=0.01, hang_up_s=0.01)


async def test_a_failure_comes_out() -> None:
    async def work() -> None:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        await end_in_time(work(), asyncio.Event())


async def test_who_waits_may_be_canceled() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    waiting = asyncio.create_task(end_in_time(work(), asyncio.Event()))
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    async with asyncio.timeout(20):
        await ended.wait()
