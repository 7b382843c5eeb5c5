"""A second Kafka, with logins and access lists: for tests of security, and as the cluster that is another one."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.kafka import Kafka
from local.secure import Authority, Secure
from proforma.kafka_access import KafkaAccess
from tests.support.product import SERVICES

PASSWORDS = {name: f"{name}-opens-sesame" for name in (*SERVICES, "probe", "nobody")}
MACHINE = "CN=proforma-machine"


@dataclass(frozen=True)
class SecureKafka:
    """The broker. `plain` may do everything; `login` is a service's settings for SASL over TLS."""

    server: Kafka
    secure: Secure
    machine_file: Path
    stranger: Authority

    @property
    def plain(self) -> str:
        return self.server.bootstrap

    def login(self, user: str, **other: Any) -> dict[str, Any]:
        """Settings with which `user` gets in; `other` ones replace them."""
        return {
            "kafka": self.secure.address("LOGIN"),
            "kafka_security": "sasl_tls",
            "kafka_ca_file": self.secure.authority.file,
            "kafka_username": user,
            "kafka_password": PASSWORDS[user],
            **other,
        }

    def mutual(self, **other: Any) -> dict[str, Any]:
        """Settings with which a client's certificate gets in."""
        return {
            "kafka": self.secure.address("MUTUAL"),
            "kafka_security": "tls",
            "kafka_ca_file": self.secure.authority.file,
            "kafka_cert_file": self.machine_file,
            "kafka_key_file": self.machine_file,
            **other,
        }

    def access(self, prefix: str = "") -> KafkaAccess:
        """How tests make topics and rights there."""
        return KafkaAccess(self.plain, prefix)


@pytest.fixture(scope="session")
async def secure_kafka(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SecureKafka]:
    """Started by the first test that needs it. Its tests are one group, so that one process has it."""
    folder = tmp_path_factory.mktemp("secure")
    authority = Authority(folder / "ca")
    secure = Secure(authority, PASSWORDS, (MACHINE,))
    server = Kafka(folder / "kafka", durable=False, die_with_parent=True, secure=secure)
    try:
        await asyncio.to_thread(server.start)
        machine = authority.issue(MACHINE.removeprefix("CN="))
        yield SecureKafka(server, secure, machine, Authority(folder / "stranger", "stranger"))
    finally:
        await asyncio.to_thread(server.kill)
