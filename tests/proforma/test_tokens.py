"""Tokens that are minted by hand: good ones are let in, unusable ones are not made."""

from collections.abc import Callable
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from proforma.__main__ import main
from proforma.auth import Verifier
from proforma.settings import ServiceSettings
from tests.support.tokens import AUDIENCE, ISSUER, Tokens

MakeSettings = Callable[..., ServiceSettings]
WHO = ("--roles", "biller, manager", "--sub", "ada")
FOR = ("--issuer", ISSUER, "--audience", AUDIENCE)


def written(folder: Path, key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> tuple[Path, Path]:
    """The files of a key: private, public."""
    private, public = folder / "private.pem", folder / "public.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public


@pytest.fixture
def rsa_key(tokens: Tokens, tmp_path: Path) -> Path:
    file = tmp_path / "key.pem"
    file.write_bytes(tokens.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return file


async def test_it_is_let_in_with_its_roles_and_projects(
    make_settings: MakeSettings, rsa_key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verifier = Verifier(make_settings("postgresql://nobody@127.0.0.1/none"))
    main(["token", "--key", str(rsa_key), *WHO, *FOR])
    principal = await verifier.principal(capsys.readouterr().out.strip())
    assert (principal.sub, principal.roles, principal.projects) == ("ada", frozenset({"biller", "manager"}), None)
    main(["token", "--key", str(rsa_key), *WHO, *FOR, "--projects", "P1,P2", "--lifetime", "15m", "--key-id", "k1"])
    token = capsys.readouterr().out.strip()
    assert (await verifier.principal(token)).projects == frozenset({"P1", "P2"})
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 15 * 60
    assert jwt.get_unverified_header(token) == {"alg": "RS256", "typ": "JWT", "kid": "k1"}


async def test_a_key_on_the_curve_signs_too_and_the_environment_says_for_whom(
    make_settings: MakeSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    private, public = written(tmp_path, ec.generate_private_key(ec.SECP256R1()))
    monkeypatch.setenv("PROFORMA_AUTH_ISSUER", ISSUER)
    monkeypatch.setenv("PROFORMA_AUTH_AUDIENCE", AUDIENCE)
    main(["token", "--key", str(private), *WHO])
    verifier = Verifier(make_settings("postgresql://nobody@127.0.0.1/none", auth_public_key_file=public))
    assert (await verifier.principal(capsys.readouterr().out.strip())).sub == "ada"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--roles", "root,biller", "--sub", "ada"], "not root"),
        (["--roles", ",", "--sub", "ada"], "not none"),
        (["--roles", "biller", "--sub", ""], "sub is empty"),
        ([*WHO, "--lifetime", "31d"], "30 days at most"),
        ([*WHO, "--lifetime", "0h"], "is no lifetime"),
        ([*WHO, "--lifetime", "1 year"], "is no lifetime"),
    ],
)
def test_what_no_service_would_take_is_not_made(rsa_key: Path, words: list[str], says: str) -> None:
    with pytest.raises(SystemExit, match=says):
        main(["token", "--key", str(rsa_key), *words, *FOR])


def test_without_a_usable_key_there_is_no_token(
    rsa_key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["token", *WHO, *FOR])
    assert ended.value.code == 2
    assert capsys.readouterr().err == "python -m proforma token: the following arguments are required: --key\n"
    with pytest.raises(SystemExit, match="is no private key"):
        main(["token", "--key", str(tmp_path / "none"), *WHO, *FOR])
    with pytest.raises(SystemExit, match="P-256 is needed"):
        main(["token", "--key", str(written(tmp_path, ed25519.Ed25519PrivateKey.generate())[0]), *WHO, *FOR])
    for name in ("PROFORMA_AUTH_ISSUER", "PROFORMA_AUTH_AUDIENCE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SystemExit, match="set PROFORMA_AUTH_ISSUER"):
        main(["token", "--key", str(rsa_key), *WHO])
