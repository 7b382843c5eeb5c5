"""Bearer tokens for tests and trials, signed with a private key that is at hand.

A real installation names its identity provider; whoever holds the private key can be anybody, so no production
machine has it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from proforma.auth import ROLES

_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_LIFETIME = re.compile(r"([1-9][0-9]{0,6})([smhd])")
_LIFETIME_MAX = timedelta(days=30)


class Unusable(ValueError):
    """A key, a role or a lifetime of which no token can be made."""


@dataclass(frozen=True, slots=True)
class Claims:
    """Whom a token says it is of, and for whom. `projects` None: all of them."""

    sub: str
    roles: Sequence[str]
    issuer: str
    audience: str
    projects: Sequence[str] | None = None


def mint(key_file: Path, claims: Claims, now: datetime, lifetime: timedelta, key_id: str | None = None) -> str:
    """A signed token. RS256 or ES256, as the key is; raises Unusable."""
    key, algorithm = _key(key_file)
    unknown = sorted(set(claims.roles) - ROLES)
    if unknown or not claims.roles:
        raise Unusable(f"roles are {', '.join(sorted(ROLES))}, not {', '.join(unknown) or 'none'}")
    if not claims.sub:
        raise Unusable("a token is somebody's: sub is empty")
    body: dict[str, Any] = {
        "iss": claims.issuer, "aud": claims.audience, "sub": claims.sub, "roles": list(claims.roles),
        "iat": now, "exp": now + lifetime,
    }  # fmt: skip
    if claims.projects is not None:
        body["projects"] = list(claims.projects)
    return jwt.encode(body, key, algorithm=algorithm, headers={"kid": key_id} if key_id else None)


def lifetime_of(text: str) -> timedelta:
    """`90s`, `15m`, `8h` or `7d`; raises Unusable. 30 days at most: what is forgotten somewhere stops working."""
    parts = _LIFETIME.fullmatch(text)
    if parts is None:
        raise Unusable(f"{text!r} is no lifetime: 90s, 15m, 8h or 7d")
    lifetime = timedelta(seconds=int(parts[1]) * _UNITS_S[parts[2]])
    if lifetime > _LIFETIME_MAX:
        raise Unusable("a token lives for 30 days at most")
    return lifetime


def _key(file: Path) -> tuple[RSAPrivateKey | EllipticCurvePrivateKey, str]:
    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise Unusable(f"{file} is no private key that can be read: {error}") from error
    if isinstance(key, RSAPrivateKey):
        return key, "RS256"
    if isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1):
        return key, "ES256"
    raise Unusable(f"{file}: an RSA key or one on the curve P-256 is needed, services trust no others")
