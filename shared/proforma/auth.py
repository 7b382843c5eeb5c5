"""Bearer tokens: JWT (RS256 or ES256) checked against a PEM key or a JWKS, and the roles they carry."""

import json
import time
from collections.abc import Callable
from typing import Annotated, Any

import httpx
import jwt
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from proforma.context import Principal
from proforma.errors import Forbidden, Unauthenticated, Unavailable
from proforma.settings import ServiceSettings

ROLES = frozenset({"submitter", "approver", "biller", "manager", "admin", "service"})
_ALGORITHMS = ["RS256", "ES256"]
_JWKS_KEEP_S = 300

_bearer = HTTPBearer(auto_error=False, description="A JWT (RS256 or ES256) with `sub` and `roles`.")


class Verifier:
    """Turns a bearer token into a Principal. Keys of a JWKS are fetched when one is missing, at most every 5 minutes."""

    def __init__(self, settings: ServiceSettings, seconds: Callable[[], float] = time.monotonic) -> None:
        self._issuer = settings.auth_issuer
        self._audience = settings.auth_audience
        self._jwks_url = settings.auth_jwks_url
        self._seconds = seconds
        self._keys: dict[str | None, Any] = {}
        self._fetched_at: float | None = None
        if settings.auth_public_key_file is not None:
            self._keys[None] = settings.auth_public_key_file.read_text()

    async def principal(self, token: str) -> Principal:
        """The caller; raises Unauthenticated with what is wrong with the token."""
        try:
            key = await self._key(jwt.get_unverified_header(token).get("kid"))
            claims = jwt.decode(
                token, key, algorithms=_ALGORITHMS, audience=self._audience, issuer=self._issuer,
                options={"require": ["exp", "sub", "iss", "aud"]},
            )  # fmt: skip
        except jwt.PyJWTError as error:
            raise Unauthenticated(f"the token is not valid: {error}") from error
        return _principal(claims)

    async def _key(self, key_id: str | None) -> Any:
        if self._jwks_url is None:
            return self._keys[None]
        if key_id not in self._keys and self._may_fetch():
            await self._fetch(self._jwks_url)
        if key_id not in self._keys:
            raise Unauthenticated("the token's key is not among the known ones")
        return self._keys[key_id]

    def _may_fetch(self) -> bool:
        # A stream of tokens with made-up key ids must not become a stream of requests to the identity provider.
        return self._fetched_at is None or self._seconds() - self._fetched_at > _JWKS_KEEP_S

    async def _fetch(self, url: str) -> None:
        try:
            async with httpx.AsyncClient(timeout=5) as client:
                answer = (await client.get(url)).raise_for_status()
            keys = jwt.PyJWKSet.from_json(json.dumps(answer.json())).keys
        except (httpx.HTTPError, ValueError, jwt.PyJWTError) as error:
            raise Unavailable(f"the token's keys cannot be fetched: {error}") from error
        self._keys = {key.key_id: key.key for key in keys}
        self._fetched_at = self._seconds()


def _principal(claims: dict[str, Any]) -> Principal:
    roles = claims.get("roles")
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise Unauthenticated("the token has no list of roles")
    projects = claims.get("projects")
    if projects is not None and not (isinstance(projects, list) and all(isinstance(p, str) for p in projects)):
        raise Unauthenticated("the token's projects are not a list of codes")
    return Principal(
        str(claims["sub"]), frozenset(roles) & ROLES, frozenset(projects) if projects is not None else None
    )


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
