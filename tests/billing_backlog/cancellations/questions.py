"""Questions for cancellations, as time-expense asks them, and the answers that it reads."""

from typing import Any
from uuid import UUID

from billing_backlog.worker import HANDLERS
from proforma.clock import derived_id
from proforma.events.billing_backlog import CancellationAnswer, CancellationsAnswered
from proforma.events.time_expense import CancellationRequest, CancellationsRequested
from proforma.runtime import Runtime
from tests.billing_backlog.scene import AT, PROJECT, entry
from tests.support.events import deliver, outbox_of


def asked(n: int = 1, revision: int = 1, request: int = 1, **changes: Any) -> CancellationRequest:
    """The question about a revision of entry number `n`."""
    given = {
        "id": entry(n).id, "revision": revision, "request_id": request_id(request), "project": PROJECT, "by": "boss",
        "at": AT, "reason": "wrong day", **changes,
    }  # fmt: skip
    return CancellationRequest.model_validate(given)


def request_id(n: int) -> UUID:
    return derived_id("request", n)


async def ask(runtime: Runtime, *questions: CancellationRequest) -> None:
    """Delivers questions, as they come by Kafka."""
    await deliver(runtime, HANDLERS, CancellationsRequested(entries=list(questions)))


async def answered(runtime: Runtime) -> list[CancellationsAnswered]:
    """Every event of answers, in order."""
    sent = [one for one in await outbox_of(runtime) if one.type == CancellationsAnswered.TYPE]
    return [CancellationsAnswered.model_validate(one.body) for one in sent]


async def answers(runtime: Runtime) -> list[CancellationAnswer]:
    """Every answer, in order."""
    return [one for event in await answered(runtime) for one in event.entries]


async def outcomes(runtime: Runtime) -> list[str]:
    """What became of each question, in order."""
    return [one.outcome for one in await answers(runtime)]
