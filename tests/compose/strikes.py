"""What befalls the containers while they work: killed as by a power cut, or restarted by Compose."""

import asyncio
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.compose.engine import ComposeError, Container, Stack, run

WELL_S = 240
# What a service may end with that was asked to: by itself, or by the signal when nothing was in hand any more.
GRACEFUL = {"0", "143"}
SERVERS = ("postgres", "kafka")
PATIENCE_S = 1.5
# An end is held to ten seconds on a machine with time for it, and given up after this.
STOP_LIMIT_S = 60


@dataclass(frozen=True)
class Strike:
    """One blow to one container."""

    service: str
    how: str


def strikes(services: Sequence[str], kinds: Sequence[str], seed: int) -> list[Strike]:
    """Each kind of blow to each service, in a random order that the seed repeats."""
    found = [Strike(service, how) for how in kinds for service in services]
    random.Random(seed).shuffle(found)
    return found


@dataclass
class Striker:
    """Deals the blows and remembers those that were dealt, and how long a service has taken to end when asked."""

    stack: Stack
    seed: int
    patient: bool = True
    dealt: list[Strike] = field(default_factory=list)
    longest_end_s: float = 0.0

    async def deal(self, several: Iterator[Strike] | Sequence[Strike]) -> None:
        """One after the other: the next when the container that was hit before is well again, or at once."""
        dice = random.Random(self.seed)
        for strike in several:
            await asyncio.sleep(dice.uniform(0, PATIENCE_S))
            await asyncio.to_thread(self._deal, strike)
            self.dealt.append(strike)

    def _deal(self, strike: Strike) -> None:
        container = self.stack.containers()[strike.service]
        if strike.how == "kill":
            run(["docker", "kill", container.name])
            # Who kills a container by the engine has stopped it, as far as its restart policy is concerned.
            run(["docker", "start", container.name])
        else:
            self._restart(container)
        if self.patient:
            self.stack.wait_healthy([strike.service], WELL_S)

    def _restart(self, container: Container) -> None:
        since = run(["docker", "inspect", "--format", "{{.State.StartedAt}}", container.name]).strip()
        self.stack.compose("restart", "--timeout", str(STOP_LIMIT_S), container.service)
        until = run(["docker", "inspect", "--format", "{{.State.StartedAt}}", container.name]).strip()
        asked, ended, code = _last_end(container.name, since, until)
        if container.service not in SERVERS:
            self.longest_end_s = max(self.longest_end_s, ended - asked)
            if code not in GRACEFUL:
                raise ComposeError(f"{container.service} was asked to end and ended with {code}")


def _last_end(name: str, since: str, until: str) -> tuple[float, float, str]:
    """When the container was asked to end, when it had, and its exit code, as the engine saw it."""
    told = run(
        [
            "docker", "events", "--since", since, "--until", until, "--filter", f"container={name}",
            "--format", "{{.TimeNano}} {{.Action}} {{.Actor.Attributes.exitCode}}",
        ]
    )  # fmt: skip
    seen = [line.split() for line in told.splitlines()]
    asked = [int(one[0]) for one in seen if one[1] == "kill"]
    ended = [(int(one[0]), one[2]) for one in seen if one[1] == "die"]
    if not asked or not ended:
        raise ComposeError(f"the engine does not remember the end of {name}: {told}")
    return asked[0] / 1e9, ended[-1][0] / 1e9, ended[-1][1]
