"""The `.env` that docker-compose.yml is told by: passwords and keys of this installation's own, never a default.

`make env` writes it; `.env.example` is the same without the secrets. Lines are `NAME=value` without quotes or escapes,
because Compose v2 and docker-compose 1.29 read only those alike.
"""

from __future__ import annotations

import base64
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from local.databases import SERVICES
from local.keys import AUDIENCE
from local.processes import LocalError

ISSUER = "proforma-compose"
SIGNING_KEY = "PROFORMA_SIGNING_KEY"
PUBLIC_KEY = "PROFORMA_AUTH_PUBLIC_KEY"
LOGIN_KINDS = ("_PASSWORD", "_OWNER_PASSWORD")
HEADING = {
    True: "What docker-compose.yml needs, written by `make env`. Keep it: the data are locked with it.",
    False: "What docker-compose.yml needs. `make env` writes it to .env with secrets of your own.",
}
FOOTING = "Everything else has a default; deploy/README.md names it."


@dataclass(frozen=True)
class Group:
    """Variables that belong together, and what is to be said of them. Names in `secret` are blank in the example."""

    comment: str
    values: Mapping[str, str]
    secret: bool = True


def fresh() -> list[Group]:
    """All that must be there, with new secrets."""
    signing, public = _key_pair()
    logins = {f"{database.upper()}{kind}": _password() for database in SERVICES.values() for kind in LOGIN_KINDS}
    return [
        Group(
            "Passwords. A service works with its own login, which owns nothing; the owner's migrates.",
            {"POSTGRES_PASSWORD": _password(), **logins},
        ),
        Group("Kafka's identity: another one is another cluster.", {"KAFKA_CLUSTER_ID": _cluster_id()}),
        Group(
            "Whose tokens are trusted. With PROFORMA_AUTH_JWKS_URL set, leave the public key empty.",
            {"PROFORMA_AUTH_ISSUER": ISSUER, "PROFORMA_AUTH_AUDIENCE": AUDIENCE},
            secret=False,
        ),
        Group(
            "The public key, and the private one that `make demo STACK=compose` signs its tokens with.\n"
            "No container gets that one; where an identity provider signs, delete it.",
            {PUBLIC_KEY: public, SIGNING_KEY: signing},
        ),
        Group("The password of Grafana's user `admin` (profile observability).", {"GRAFANA_PASSWORD": _password()}),
    ]


def text(groups: list[Group], *, with_secrets: bool) -> str:
    """The file's content."""
    lines = [f"# {HEADING[with_secrets]}"]
    for group in groups:
        lines += ["", *(f"# {line}" for line in group.comment.splitlines())]
        shown = with_secrets or not group.secret
        lines += [f"{name}={value if shown else ''}" for name, value in group.values.items()]
    return "\n".join([*lines, "", f"# {FOOTING}"]) + "\n"


def write(path: Path) -> None:
    """Write a new one, for its owner's eyes; raises LocalError where there is one."""
    try:
        path.touch(mode=0o600, exist_ok=False)
    except FileExistsError as error:
        raise LocalError(f"{path} is there already; the data of this stack are locked with it") from error
    path.write_text(text(fresh(), with_secrets=True))


def read(path: Path) -> dict[str, str]:
    """The variables of a file; raises LocalError where there is none."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError as error:
        raise LocalError(f"there is no {path}: `make env` writes it") from error
    pairs = (line.partition("=") for line in lines if "=" in line and not line.lstrip().startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def signing_key(values: Mapping[str, str]) -> ec.EllipticCurvePrivateKey:
    """The key that signs tokens for this stack; raises LocalError where another party signs them."""
    if not values.get(SIGNING_KEY):
        raise LocalError(f"there is no {SIGNING_KEY} in .env: tokens come from the identity provider of this stack")
    key = load_der_private_key(base64.b64decode(values[SIGNING_KEY]), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise LocalError(f"{SIGNING_KEY} in .env is not one of an elliptic curve")
    return key


def _password() -> str:
    return secrets.token_urlsafe(24)


def _cluster_id() -> str:
    """22 characters that Kafka takes: it refuses a dash as the first."""
    while True:
        made = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not made.startswith("-"):
            return made


def _key_pair() -> tuple[str, str]:
    """Private and public key of ES256, as the base64 of their DER: one short line each."""
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(private).decode(), base64.b64encode(public).decode()
