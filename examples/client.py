"""The four HTTP APIs as the demo uses them: tokens, pages, jobs, and waiting with a limit."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import httpx

STACK_FILE = Path(".proforma/stack.json")
WAIT_SECONDS = 120
POLL_SECONDS = 0.2
PAGE = 1_000


class DemoError(Exception):
    """Something is off; the text is the one clear line that the person in front of the demo reads."""


class Progress:
    """One line that counts while work goes on; drawn only on a terminal, so that logs stay short."""

    def __init__(self, out: Any = sys.stdout) -> None:
        self._out = out
        self._live = bool(out.isatty())

    def show(self, text: str) -> None:
        if self._live:
            self._out.write(f"\r\x1b[K  … {text}")
            self._out.flush()

    def clear(self) -> None:
        if self._live:
            self._out.write("\r\x1b[K")
            self._out.flush()


class Service:
    """One service. Every call names the role it is made as; an answer that is not 2xx is a DemoError."""

    def __init__(self, http: httpx.Client, name: str, url: str, tokens: Mapping[str, str]) -> None:
        self._http = http
        self.name = name
        self.url = url
        self._tokens = tokens

    def call(
        self,
        method: str,
        path: str,
        role: str,
        *,
        body: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        allowed: tuple[int, ...] = (),
    ) -> httpx.Response:
        """The answer, if it is 2xx or one of `allowed`."""
        sent = {"Authorization": f"Bearer {self._tokens[role]}", **(headers or {})}
        try:
            answer = self._http.request(
                method, self.url + path, json=body, params=params, headers=sent, content=content
            )
        except httpx.HTTPError as error:
            raise DemoError(f"{self.name} does not answer at {self.url}: {error!r}; try `make up`") from error
        if not answer.is_success and answer.status_code not in allowed:
            raise DemoError(f"{method} {path} on {self.name} answered {answer.status_code}: {_detail(answer)}")
        return answer

    def get(self, path: str, role: str = "biller", **params: Any) -> Any:
        return self.call("GET", path, role, params=params).json()

    def post(self, path: str, role: str, body: Any = None, **headers: str) -> Any:
        """Posts JSON; headers are given as `If_Match="*"`."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call("POST", path, role, body=body, headers=sent).json()

    def create(self, path: str, role: str, bodies: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Creates them all or none, 1,000 a call, in their order."""
        made: list[dict[str, Any]] = []
        for start in range(0, len(bodies), PAGE):
            made += self.post(path, role, bodies[start : start + PAGE])["items"]
        return made

    def pages(self, path: str, role: str = "biller", **params: Any) -> Iterator[dict[str, Any]]:
        """Every item of a list, page by page."""
        cursor: str | None = None
        while True:
            page = self.get(path, role, limit=PAGE, **params, **({"after": cursor} if cursor else {}))
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def job(self, job: dict[str, Any], role: str, on_progress: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        """Waits for a job's end and returns it; a job that did not succeed is a DemoError."""

        def look() -> dict[str, Any] | None:
            now: dict[str, Any] = self.get(f"/v1/jobs/{job['id']}", role)
            on_progress(now)
            return now if now["status"] in {"succeeded", "failed", "canceled"} else None

        ended: dict[str, Any] = wait_for(f"{job['kind']} on {self.name}", look)
        if ended["status"] != "succeeded":
            raise DemoError(f"{job['kind']} on {self.name} {ended['status']}: {json.dumps(ended['result'])}")
        return ended


class Stack:
    """The stack that `make up` has started, or `docker compose up`."""

    def __init__(self, file: Path = STACK_FILE) -> None:
        try:
            held = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise DemoError(f"there is no {file}: run `make up` first") from error
        self._http = httpx.Client(timeout=60, trust_env=False)
        services = {
            name: Service(self._http, name, url.rstrip("/"), held["tokens"]) for name, url in held["services"].items()
        }
        self.entries = services["time-expense"]
        self.backlog = services["billing-backlog"]
        self.invoicing = services["invoicing"]
        self.scheduler = services["scheduler"]
        self.all = list(services.values())
        self.file = file
        # A stack says itself how it is played again and stopped; the embedded one by make alone.
        self.again = held.get("again", "make demo DATA=<csv>")
        self.stop = held.get("stop", "make down")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()


def wait_for(what: str, look: Callable[[], Any], seconds: float = WAIT_SECONDS) -> Any:
    """What `look` returns as soon as it is not None; a DemoError when that takes longer than `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        began = time.monotonic()
        found = look()
        if found is not None:
            return found
        now = time.monotonic()
        if now > deadline:
            raise DemoError(f"{what}: not done after {seconds:.0f} s; see GET /v1/waiting and .proforma/logs")
        # A look that takes long is work for the services too: they get at least as long without one.
        time.sleep(max(POLL_SECONDS, now - began))


def _detail(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
    except ValueError:
        return answer.text[:500]
    if not isinstance(problem, dict):
        return answer.text[:500]
    return " ".join([str(problem.get("detail", "")), *map(json.dumps, problem.get("errors") or [])])[:1_000]
