"""Tokens: who is let in, and as what."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from proforma.auth import Verifier
from proforma.errors import Unauthenticated, Unavailable
from proforma.settings import ServiceSettings
from tests.conftest import MakeApi
from tests.support.tokens import Tokens

MakeSettings = Callable[..., ServiceSettings]


def pem_of(key: Any) -> bytes:
    found: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return found


@pytest.fixture
def verifier(make_settings: MakeSettings) -> Verifier:
    return Verifier(make_settings("postgresql://nobody@127.0.0.1/none"))


async def test_a_good_token_names_its_caller(verifier: Verifier, tokens: Tokens) -> None:
    principal = await verifier.principal(tokens.token("biller", "manager", sub="ada"))
    assert principal.sub == "ada"
    assert principal.roles == {"biller", "manager"}
    assert principal.projects is None
    narrowed = await verifier.principal(tokens.token("approver", projects=["P1", "P2"]))
    assert narrowed.projects == frozenset({"P1", "P2"})
    assert (await verifier.principal(tokens.token("approver", projects=[]))).projects == frozenset()


async def test_roles_that_we_do_not_know_count_for_nothing(verifier: Verifier, tokens: Tokens) -> None:
    principal = await verifier.principal(tokens.token("root", "biller"))
    assert principal.roles == {"biller"}
    assert principal.may("biller")
    assert not principal.may("manager", "root")


BAD: dict[str, dict[str, Any]] = {
    "expired": {"exp": datetime.now(UTC) - timedelta(seconds=30)},
    "not valid yet": {"nbf": datetime.now(UTC) + timedelta(days=1)},
    "another audience": {"aud": "somebody-else"},
    "another issuer": {"iss": "https://evil.test"},
    "no roles": {"roles": None},
    "roles as text": {"roles": "admin"},
    "roles as objects": {"roles": [{"name": "admin"}]},
    "projects as text": {"projects": "P1"},
    "projects as numbers": {"projects": [1]},
    "nameless": {"sub": ""},
    "name with NUL": {"sub": "ada\x00"},
    "name too long": {"sub": "a" * 256},
}


@pytest.mark.parametrize("case", BAD)
async def test_tokens_with_other_claims_are_refused(verifier: Verifier, tokens: Tokens, case: str) -> None:
    claims = {name: one for name, one in (tokens.claims("admin") | BAD[case]).items() if one is not None}
    with pytest.raises(Unauthenticated):
        await verifier.principal(tokens.sign(claims))


@pytest.mark.parametrize("claim", ["exp", "sub", "iss", "aud", "roles"])
async def test_every_claim_is_required(verifier: Verifier, tokens: Tokens, claim: str) -> None:
    claims = tokens.claims("admin")
    del claims[claim]
    with pytest.raises(Unauthenticated):
        await verifier.principal(tokens.sign(claims))


def hand_made(header: dict[str, Any], claims: dict[str, Any], secret: bytes | None) -> str:
    """A token that no library would make."""

    def part(value: bytes) -> bytes:
        return base64.urlsafe_b64encode(value).rstrip(b"=")

    payload = claims | {"exp": int(claims["exp"].timestamp())}
    signed = part(json.dumps(header).encode()) + b"." + part(json.dumps(payload).encode())
    signature = b"" if secret is None else hmac.new(secret, signed, hashlib.sha256).digest()
    return (signed + b"." + part(signature)).decode()


async def test_a_token_cannot_choose_how_it_is_checked(verifier: Verifier, tokens: Tokens) -> None:
    claims = tokens.claims("admin")
    public = tokens.public_key_file.read_bytes()
    for token in (
        hand_made({"alg": "none", "typ": "JWT"}, claims, None),
        # The public key is no secret: whoever signs with it by HMAC must not pass for the issuer.
        hand_made({"alg": "HS256", "typ": "JWT"}, claims, public),
        hand_made({"alg": "HS256", "typ": "JWT"}, claims, b""),
        hand_made({"alg": "ES256", "typ": "JWT"}, claims, b"x"),
        tokens.sign(claims, algorithm="RS512"),
        tokens.sign(claims, key=rsa.generate_private_key(public_exponent=65537, key_size=2048)),
        tokens.sign(claims, key=ec.generate_private_key(ec.SECP256R1()), algorithm="ES256"),
        tokens.sign(claims)[:-4] + "AAAA",
        tokens.sign(claims).rpartition(".")[0],
        "",
        "a.b.c",
        "é",
    ):
        with pytest.raises(Unauthenticated):
            await verifier.principal(token)


async def test_elliptic_keys_are_taken_too(make_settings: MakeSettings, tokens: Tokens, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    file = tmp_path / "ec.pem"
    file.write_bytes(pem_of(key))
    verifier = Verifier(make_settings("postgresql://nobody@127.0.0.1/none", auth_public_key_file=file))
    token = tokens.sign(tokens.claims("biller"), key=key, algorithm="ES256")
    assert (await verifier.principal(token)).roles == {"biller"}
    with pytest.raises(Unauthenticated):
        await verifier.principal(tokens.token("biller"))


async def test_a_key_can_be_a_variable_of_one_line(make_settings: MakeSettings, tokens: Tokens) -> None:
    pem = tokens.public_key_file.read_text()
    body = "".join(pem.splitlines()[1:-1])
    for given in (pem, pem.replace("\n", "\\n"), body):
        settings = make_settings("postgresql://nobody@127.0.0.1/none", auth_public_key_file=None, auth_public_key=given)
        assert (await Verifier(settings).principal(tokens.token("biller"))).roles == {"biller"}
    with pytest.raises(ValueError, match="PEM"):
        Verifier(make_settings("postgresql://n@127.0.0.1/n", auth_public_key_file=None, auth_public_key="nothing"))


def test_a_file_that_is_no_public_key_stops_the_start(make_settings: MakeSettings, tmp_path: Path) -> None:
    file = tmp_path / "wrong.pem"
    file.write_text("nothing")
    with pytest.raises(ValueError, match="PEM"):
        Verifier(make_settings("postgresql://nobody@127.0.0.1/none", auth_public_key_file=file))


class Provider:
    """An identity provider: a JWKS over a socket, that can change and fail."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {}
        self.asked = 0
        self.broken = False
        self.url = ""

    def add(self, key_id: str, key: Any = None) -> Any:
        made = key or rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.keys[key_id] = made
        return made

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        found = []
        for key_id, key in self.keys.items():
            algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
            found.append({**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": key_id})
        body = b"oops" if self.broken else json.dumps({"keys": found}).encode()
        status = b"500 Internal Server Error" if self.broken else b"200 OK"
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: " + str(len(body)).encode())
        writer.write(b"\r\nConnection: close\r\n\r\n" + body)
        await writer.drain()
        writer.close()


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    provider = Provider()
    server = await asyncio.start_server(provider.answer, "127.0.0.1", 0)
    provider.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/jwks"
    async with server:
        yield provider


class Seconds:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def by_jwks(make_settings: MakeSettings, provider: Provider, seconds: Seconds) -> Verifier:
    settings = make_settings(
        "postgresql://nobody@127.0.0.1/none", auth_public_key_file=None, auth_jwks_url=provider.url
    )
    return Verifier(settings, seconds)


def signed(tokens: Tokens, key: Any, key_id: str | None, algorithm: str = "RS256") -> str:
    headers = None if key_id is None else {"kid": key_id}
    return tokens.sign(tokens.claims("biller"), key=key, algorithm=algorithm, headers=headers)


async def test_keys_come_from_the_provider_once(by_jwks: Verifier, provider: Provider, tokens: Tokens) -> None:
    key = provider.add("one")
    await asyncio.gather(*(by_jwks.principal(signed(tokens, key, "one")) for _ in range(5)))
    assert provider.asked == 1
    with pytest.raises(Unauthenticated):
        await by_jwks.principal(signed(tokens, key, None))


async def test_a_new_key_is_found_and_made_up_ones_do_not_flood_the_provider(
    by_jwks: Verifier, provider: Provider, tokens: Tokens, seconds: Seconds
) -> None:
    first = provider.add("one")
    await by_jwks.principal(signed(tokens, first, "one"))
    second = provider.add("two")
    for number in range(5):
        with pytest.raises(Unauthenticated):
            await by_jwks.principal(signed(tokens, second, f"made-up-{number}"))
    assert provider.asked == 1
    seconds.at += 11
    await by_jwks.principal(signed(tokens, second, "two"))
    assert provider.asked == 2


async def test_a_withdrawn_key_stops_working_after_five_minutes(
    by_jwks: Verifier, provider: Provider, tokens: Tokens, seconds: Seconds
) -> None:
    key = provider.add("one")
    await by_jwks.principal(signed(tokens, key, "one"))
    del provider.keys["one"]
    provider.add("two")
    seconds.at += 301
    with pytest.raises(Unauthenticated):
        await by_jwks.principal(signed(tokens, key, "one"))


async def test_known_keys_outlive_a_provider_that_is_away(
    by_jwks: Verifier, provider: Provider, tokens: Tokens, seconds: Seconds
) -> None:
    key = provider.add("one")
    provider.broken = True
    with pytest.raises(Unavailable):
        await by_jwks.principal(signed(tokens, key, "one"))
    with pytest.raises(Unauthenticated):
        await by_jwks.principal(signed(tokens, key, "one"))
    assert provider.asked == 1
    provider.broken = False
    seconds.at += 11
    await by_jwks.principal(signed(tokens, key, "one"))
    provider.broken = True
    seconds.at += 301
    await by_jwks.principal(signed(tokens, key, "one"))
    assert provider.asked == 3


async def test_a_key_of_another_kind_than_the_token_names(
    by_jwks: Verifier, provider: Provider, tokens: Tokens
) -> None:
    provider.add("rsa")
    elliptic = provider.add("ec", ec.generate_private_key(ec.SECP256R1()))
    assert (await by_jwks.principal(signed(tokens, elliptic, "ec", "ES256"))).sub == "biller"
    with pytest.raises(Unauthenticated):
        await by_jwks.principal(signed(tokens, elliptic, "rsa", "ES256"))


async def test_over_http(api: MakeApi, tokens: Tokens) -> None:
    client = await api("probe")
    for token in (None, "nonsense", tokens.sign(tokens.claims("biller") | {"aud": "other"})):
        answer = await client.with_token(token).get("/v1/effects/17")
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert answer.json()["type"] == "urn:proforma:problem:unauthenticated"
    basic = await client.with_token(None).get("/v1/effects/17", headers={"Authorization": "Basic YTpi"})
    assert basic.status_code == 401
    nobody = await client.as_("visitor").post("/v1/effects", json={"value": "x"})
    assert (nobody.status_code, nobody.json()["type"]) == (403, "urn:proforma:problem:forbidden")
    wrong = await client.as_("submitter").post("/v1/effects", json={"value": "x"})
    assert (wrong.status_code, "biller" in wrong.json()["detail"]) == (403, True)
    assert (await client.as_("admin").post("/v1/effects", json={"value": "x"})).status_code == 201
    # Forbidden before anything is looked up or even read.
    assert (await client.as_("submitter").post("/v1/effects", json={"value": 8})).status_code == 403
