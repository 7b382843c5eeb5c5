"""What can go wrong, as RFC 9457 problems; `http.py` is the only place that turns them into responses."""

from collections.abc import Sequence
from typing import Any


class Problem(Exception):
    """Base of everything a caller is told. `name` ends the problem's type URN, `extra` adds members to the body."""

    name = "internal"
    status = 500
    title = "Internal error"

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra


class Invalid(Problem):
    """The request breaks the schema or a limit. `errors` points at each field: {"pointer", "detail", "allowed"?}."""

    name, status, title = "validation", 422, "The request is not valid"

    def __init__(self, detail: str, errors: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(detail, errors=list(errors))

    @classmethod
    def field(cls, pointer: str, detail: str, allowed: Sequence[object] | None = None) -> "Invalid":
        """One field is wrong: `pointer` is its JSON pointer, `allowed` the values that are not."""
        error: dict[str, Any] = {"pointer": pointer, "detail": detail}
        if allowed is not None:
            error["allowed"] = list(allowed)
        return cls(f"{pointer}: {detail}", [error])


class NotFound(Problem):
    name, status, title = "not-found", 404, "Not found"


class Conflict(Problem):
    """The thing is in a state that does not allow the call; `reason` is a word of the API's vocabulary."""

    name, status, title = "conflict", 409, "In conflict with the current state"

    def __init__(self, detail: str, reason: str = "wrong_state", **extra: Any) -> None:
        super().__init__(detail, reason=reason, **extra)
        self.reason = reason


class InProgress(Conflict):
    """The first call with this idempotency key is still running."""


class Stale(Problem):
    name, status, title = "stale", 412, "Changed by somebody else since you read it"


class PreconditionRequired(Problem):
    name, status, title = "precondition-required", 428, "If-Match is required"


class Unauthenticated(Problem):
    name, status, title = "unauthenticated", 401, "No valid token"


class Forbidden(Problem):
    name, status, title = "forbidden", 403, "Not allowed"


class TooLarge(Problem):
    name, status, title = "too-large", 413, "Too large"


class KeyReused(Problem):
    name, status, title = "idempotency-key-reused", 422, "This idempotency key was used for another request"


class Unavailable(Problem):
    name, status, title = "unavailable", 503, "Not available right now"


class BrokenRule(Exception):
    """A message that can be read but must not take effect; it becomes a dead letter with this reason."""
