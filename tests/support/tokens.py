"""Tokens signed with a key of the test run's own."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

ISSUER = "https://issuer.test"
AUDIENCE = "proforma"


class Tokens:
    """Signs what an identity provider would. `public_key_file` is what services get."""

    def __init__(self, folder: Path) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.public_key_file = folder / "public.pem"
        self.public_key_file.write_bytes(
            self.key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )

    def claims(self, *roles: str, sub: str | None = None, projects: list[str] | None = None) -> dict[str, Any]:
        """The claims of a good token; `sub` is the first role's name unless given."""
        found = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": sub or roles[0],
            "exp": datetime.now(UTC) + timedelta(hours=1),
            "roles": list(roles),
        }
        return found if projects is None else {**found, "projects": projects}

    def sign(self, claims: dict[str, Any], **options: Any) -> str:
        """A token with these claims, RS256 unless `options` (jwt.encode's) say otherwise."""
        return jwt.encode(claims, **{"key": self.key, "algorithm": "RS256", **options})

    def token(self, *roles: str, sub: str | None = None, projects: list[str] | None = None) -> str:
        """A good token."""
        return self.sign(self.claims(*roles, sub=sub, projects=projects))
