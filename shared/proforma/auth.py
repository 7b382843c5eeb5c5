"""Bearer tokens: JWT (RS256 or ES256) checked against a PEM key or a JWKS, and the roles they carry."""

import asyncio
import time
from collections.abc import Callable
from typing import Annotated, Any, TypeGuard

import httpx
import jwt
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from proforma.context import Principal
from proforma.errors import Forbidden, Unauthenticated, Unavailable
from proforma.settings import ServiceSettings
from proforma.telemetry import logger

log = logger()

ROLES = frozenset({"submitter", "approver", "biller", "manager", "admin", "service"})
_ALGORITHMS = ["RS256", "ES256"]
_LEEWAY_S = 10
_JWKS_KEEP_S = 300
_JWKS_RETRY_S = 10
_SUB_MAX = 255

_bearer = HTTPBearer(auto_error=False, description="A JWT (RS256 or ES256) with `sub` and `roles`.")


class Verifier:
    """Turns a bearer token into a Principal.

    The keys of a JWKS are fetched again every five minutes, so that one that was withdrawn stops working, and when a
    token names an unknown one, at most every ten seconds.
    """

    def __init__(self, settings: ServiceSettings, seconds: Callable[[], float] = time.monotonic) -> None:
        self._issuer = settings.auth_issuer
        self._audience = settings.auth_audience
        self._jwks_url = settings.auth_jwks_url
        self._seconds = seconds
        self._keys: dict[str | None, Any] = {}
        self._asked_at: float | None = None
        self._asking = asyncio.Lock()
        if settings.auth_public_key_file is not None:
            self._pem = load_pem_public_key(settings.auth_public_key_file.read_bytes())
        elif settings.auth_public_key is not None:
            self._pem = load_pem_public_key(_as_pem(settings.auth_public_key))

    async def principal(self, token: str) -> Principal:
        """The caller; raises Unauthenticated with what is wrong with the token."""
        try:
            key = await self._key(jwt.get_unverified_header(token).get("kid"))
            claims = jwt.decode(
                token, key, algorithms=_ALGORITHMS, audience=self._audience, issuer=self._issuer, leeway=_LEEWAY_S,
                options={"require": ["exp", "sub", "iss", "aud"]},
            )  # fmt: skip
        # TypeError: the token names an algorithm that its key is not of.
        except (jwt.PyJWTError, TypeError) as error:
            raise Unauthenticated(f"the token is not valid: {error}") from error
        return _principal(claims)

    async def _key(self, key_id: str | None) -> Any:
        if self._jwks_url is None:
            return self._pem
        async with self._asking:
            if self._is_time_to_ask(known=key_id in self._keys):
                await self._fetch(self._jwks_url, known=key_id in self._keys)
        if key_id not in self._keys:
            raise Unauthenticated("the token's key is not among the known ones")
        return self._keys[key_id]

    def _is_time_to_ask(self, known: bool) -> bool:
        # A stream of tokens with made-up key ids must not become a stream of requests to the identity provider.
        wait_s = _JWKS_KEEP_S if known else _JWKS_RETRY_S
        return self._asked_at is None or self._seconds() - self._asked_at > wait_s

    async def _fetch(self, url: str, known: bool) -> None:
        self._asked_at = self._seconds()
        try:
            async with httpx.AsyncClient(timeout=5) as client:
                answer = (await client.get(url)).raise_for_status()
            self._keys = {key.key_id: key.key for key in jwt.PyJWKSet.from_dict(answer.json()).keys}
        except (httpx.HTTPError, ValueError, TypeError, AttributeError, jwt.PyJWTError) as error:
            log.warning("auth.keys_not_fetched", problem=f"{type(error).__name__}: {error}")
            if not known:
                raise Unavailable("the keys that tokens are checked with cannot be fetched") from error


def _as_pem(text: str) -> bytes:
    """A PEM, or only what stands between its first and last line: an environment variable has no lines of its own."""
    if "-----BEGIN" not in text:
        text = f"-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n"
    return text.replace("\\n", "\n").encode()


def _principal(claims: dict[str, Any]) -> Principal:
    sub, roles, projects = claims["sub"], claims.get("roles"), claims.get("projects")
    if not (0 < len(sub) <= _SUB_MAX and sub.isprintable()):
        raise Unauthenticated(f"the token's sub is not a name of 1 to {_SUB_MAX} printable characters")
    if not _is_list_of_texts(roles):
        raise Unauthenticated("the token has no list of roles")
    if projects is not None and not _is_list_of_texts(projects):
        raise Unauthenticated("the token's projects are not a list of codes")
    return Principal(sub, frozenset(roles) & ROLES, frozenset(projects) if projects is not None else None)


def _is_list_of_texts(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


async def authenticated(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Principal:
    """Dependency: the caller, whatever the role."""
    if credentials is None:
        raise Unauthenticated("send Authorization: Bearer <token>")
    verifier: Verifier = request.app.state.verifier
    principal = await verifier.principal(credentials.credentials)
    if not principal.roles:
        raise Forbidden(f"the token holds none of the roles {', '.join(sorted(ROLES))}")
    request.state.principal = principal
    return principal


Caller = Annotated[Principal, Depends(authenticated)]


def role(*roles: str) -> Any:
    """Route dependency: the caller holds one of `roles`, or is admin; otherwise 403 before anything is looked up."""

    async def check(principal: Caller) -> Principal:
        if not principal.may(*roles):
            raise Forbidden(f"needs the role {' or '.join(roles)}")
        return principal

    return Depends(check)
