"""Listeners with a login for the embedded Kafka: an own CA, certificates, SCRAM users and access lists. For tests.

The plain listener stays, and whoever comes by it may do everything: it is how the test makes topics and rights.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from local.processes import HOST, free_port

VALID = timedelta(days=30)
MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN")
_SASL = "org.apache.kafka.common.security"


class Authority:
    """A CA in a folder, and the certificates that it signs: PEM files, key and certificate in one."""

    def __init__(self, folder: Path, name: str = "proforma-test-ca") -> None:
        self._folder = folder
        self._key = generate_private_key(SECP256R1())
        self._name = _named(name)
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / f"{name}.pem"
        certificate = self._signed(self._name, self._key, x509.BasicConstraints(ca=True, path_length=0))
        self.file.write_bytes(certificate.public_bytes(Encoding.PEM))

    def issue(self, name: str) -> Path:
        """Key and certificate of `name`, for loopback, in one file."""
        key = generate_private_key(SECP256R1())
        certificate = self._signed(_named(name), key, x509.BasicConstraints(ca=False, path_length=None))
        file = self._folder / f"{name}.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(private + certificate.public_bytes(Encoding.PEM))
        return file

    def _signed(
        self, subject: x509.Name, key: EllipticCurvePrivateKey, constraints: x509.BasicConstraints
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        loopback = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST)), x509.DNSName("localhost")])
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + VALID)
            .add_extension(constraints, critical=True)
            .add_extension(loopback, critical=False)
            .add_extension(own, critical=False)
            .add_extension(signer, critical=False)
            .sign(self._key, hashes.SHA256())
        )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


@dataclass(frozen=True)
class Secure:
    """What a broker needs besides: `users` with their passwords, and the CA that signs for it and for its clients.

    Three listeners: LOGIN (SASL over TLS), PLAINLOGIN (SASL without), MUTUAL (TLS with a client's certificate).
    `superusers` are principals that no access list holds back.
    """

    authority: Authority
    users: Mapping[str, str]
    superusers: tuple[str, ...] = ()
    ports: dict[str, int] = field(default_factory=dict)

    def address(self, listener: str) -> str:
        """Where a listener is, once the broker has been started."""
        return f"{HOST}:{self.ports[listener]}"

    def listeners(self, taken: frozenset[int]) -> str:
        """The listeners as Kafka's setting wants them, on free ports; each start takes the ports of the one before."""
        for name in ("LOGIN", "PLAINLOGIN", "MUTUAL"):
            self.ports.setdefault(name, free_port(taken=taken | frozenset(self.ports.values())))
        return "".join(f",{name}://{HOST}:{port}" for name, port in self.ports.items())

    def settings(self) -> dict[str, str]:
        """Everything else that the broker is told."""
        scram = f"{_SASL}.scram.ScramLoginModule required;"
        plain = " ".join(f'user_{name}="{password}"' for name, password in self.users.items())
        found = {
            "inter.broker.listener.name": "PLAINTEXT",
            "sasl.enabled.mechanisms": ",".join(MECHANISMS),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self.authority.issue("broker")),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority.file),
            "listener.name.mutual.ssl.client.auth": "required",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": ";".join(f"User:{name}" for name in ("ANONYMOUS", *self.superusers)),
        }
        for listener in ("login", "plainlogin"):
            for mechanism in MECHANISMS:
                jaas = f"{_SASL}.plain.PlainLoginModule required {plain};" if mechanism == "PLAIN" else scram
                found[f"listener.name.{listener}.{mechanism.lower()}.sasl.jaas.config"] = jaas
        return found

    def protocols(self) -> str:
        """What each listener speaks."""
        return ",LOGIN:SASL_SSL,PLAINLOGIN:SASL_PLAINTEXT,MUTUAL:SSL"

    def format_options(self) -> list[str]:
        """The users, as the storage tool writes them into an empty log."""
        return [
            option
            for name, password in self.users.items()
            for mechanism in MECHANISMS
            if mechanism != "PLAIN"
            for option in ("--add-scram", f"{mechanism}=[name={name},password={password}]")
        ]
