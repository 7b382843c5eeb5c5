"""The embedded stack's own key pair, and a ready-made bearer token for each role.

Only for loopback: whoever can read the folder can be anybody. A real installation names its identity provider.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

ISSUER = "proforma-local"
AUDIENCE = "proforma"
ROLES = ("submitter", "approver", "biller", "manager", "admin", "service")
KEY_BITS = 2048
VALID = timedelta(days=365)


class Keys:
    """A key pair in a folder, made when it is missing."""

    def __init__(self, folder: Path) -> None:
        self.private_file = folder / "private.pem"
        self.public_file = folder / "public.pem"
        if not self.public_file.exists():
            self._make()

    def _make(self) -> None:
        key = generate_private_key(public_exponent=65537, key_size=KEY_BITS)
        self.private_file.parent.mkdir(parents=True, exist_ok=True)
        # Empty and closed to others before the key is in it.
        self.private_file.unlink(missing_ok=True)
        self.private_file.touch(mode=0o600)
        self.private_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        # Last, because its presence means that both are there.
        self.public_file.write_bytes(public)

    def token(self, subject: str, roles: Sequence[str], *, valid: timedelta = VALID) -> str:
        """A signed bearer token."""
        now = datetime.now(UTC)
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": subject,
            "roles": list(roles),
            "iat": now,
            "exp": now + valid,
        }
        return jwt.encode(claims, self.private_file.read_bytes(), algorithm="RS256")

    def tokens(self) -> dict[str, str]:
        """One token per role, for `local-<role>`."""
        return {role: self.token(f"local-{role}", [role]) for role in ROLES}
