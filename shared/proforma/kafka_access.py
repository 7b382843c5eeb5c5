"""How to get into Kafka: where the brokers are, how they are talked to, and who we are. Knows no client library."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Security = Literal["plaintext", "tls", "sasl_plaintext", "sasl_tls"]
Mechanism = Literal["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"]

_PROTOCOL: Mapping[Security, str] = {
    "plaintext": "PLAINTEXT",
    "tls": "SSL",
    "sasl_plaintext": "SASL_PLAINTEXT",
    "sasl_tls": "SASL_SSL",
}


@dataclass(frozen=True, slots=True)
class KafkaAccess:
    """Handed to everything that opens a connection. `prefix` stands before every topic's name.

    Files are read anew for each connection: a password or a certificate that was replaced on the disk holds from the
    next one on, without a restart.
    """

    bootstrap: str
    prefix: str = ""
    security: Security = "plaintext"
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    mechanism: Mechanism = "SCRAM-SHA-512"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    password_file: Path | None = None

    @property
    def tls(self) -> bool:
        return self.security in {"tls", "sasl_tls"}

    @property
    def sasl(self) -> bool:
        return self.security in {"sasl_plaintext", "sasl_tls"}

    def addresses(self) -> list[tuple[str, int]]:
        """The brokers to begin with; raises ValueError for what is not host:port."""
        found = []
        for one in self.bootstrap.split(","):
            host, _, port = one.strip().rpartition(":")
            if not host or not port.isdigit():
                raise ValueError(f"{one.strip()!r} is not host:port")
            found.append((host.strip("[]"), int(port)))
        return found

    def login(self) -> dict[str, Any]:
        """Security as aiokafka's clients and connections take it; raises OSError when a file cannot be used."""
        options: dict[str, Any] = {"security_protocol": _PROTOCOL[self.security]}
        if self.tls:
            options["ssl_context"] = self._ssl_context()
        if self.sasl:
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self._secret(),
            }
        return options

    def client(self) -> dict[str, Any]:
        """The same with the addresses, for a client."""
        return {"bootstrap_servers": self.bootstrap, **self.login()}

    def _secret(self) -> str | None:
        # An editor ends the file with a line feed that is not part of the password.
        return self.password if self.password_file is None else self.password_file.read_text().rstrip("\r\n")

    def _ssl_context(self) -> ssl.SSLContext:
        # Without our own CA the machine's are trusted. The name in the certificate is checked in either case.
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.cert_file is not None:
            # The empty password: OpenSSL would ask the terminal for that of an encrypted key, and wait.
            context.load_cert_chain(self.cert_file, self.key_file, password="")
        return context
