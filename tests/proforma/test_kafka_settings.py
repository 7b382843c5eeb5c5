"""Kafka's login as settings: what cannot work, or would not be used, stops the start in one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from local.secure import Authority
from proforma.settings import KafkaSettings

LOGIN = {"kafka_security": "sasl_tls", "kafka_username": "u", "kafka_password": "secret-word"}
Given = dict[str, Any]


def read(**given: Any) -> KafkaSettings:
    return KafkaSettings(**{"kafka": "a:1", **given})


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


def test_without_a_word_nothing_is_secured() -> None:
    access = read(kafka="a:1, b:2,[::1]:3").kafka_access
    assert access.addresses() == [("a", 1), ("b", 2), ("::1", 3)]
    assert access.client() == {"bootstrap_servers": "a:1, b:2,[::1]:3", "security_protocol": "PLAINTEXT"}


def test_the_environment_says_it_and_what_is_empty_is_not_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, given in {"KAFKA": "a:1", "KAFKA_SECURITY": "sasl_plaintext", "KAFKA_SASL_MECHANISM": "PLAIN",
                        "KAFKA_USERNAME": "u", "KAFKA_PASSWORD": "p", "KAFKA_PASSWORD_FILE": "", "KAFKA_CA_FILE": "",
                        }.items():  # fmt: skip
        monkeypatch.setenv(f"PROFORMA_{name}", given)
    assert KafkaSettings().kafka_access.login() == {
        "security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "u", "sasl_plain_password": "p",
    }  # fmt: skip


def test_no_password_is_in_what_is_printed() -> None:
    settings = read(**LOGIN)
    assert "secret-word" not in repr(settings) + str(settings) + repr(settings.kafka_access)


def test_files_are_read_for_each_connection(tmp_path: Path, authority: Authority) -> None:
    password = tmp_path / "password"
    password.write_text(" first \r\n")
    given = {**LOGIN, "kafka_password": None, "kafka_password_file": password, "kafka_ca_file": authority.file}
    access = read(**given).kafka_access
    assert access.login()["sasl_plain_password"] == " first "
    password.write_text("second")
    assert access.login()["sasl_plain_password"] == "second"
    password.unlink()
    with pytest.raises(OSError, match="password"):
        access.login()


@pytest.mark.parametrize(
    ("of", "told"),
    [
        (lambda ca: {"kafka": "broker"}, "'broker' is not host:port"),
        (lambda ca: {"kafka": "a:1,"}, "'' is not host:port"),
        (lambda ca: {"kafka_security": "ssl"}, "kafka_security"),
        (lambda ca: {**LOGIN, "kafka_sasl_mechanism": "GSSAPI"}, "kafka_sasl_mechanism"),
        (lambda ca: {"kafka_security": "tls", "kafka_ca_file": "/no/ca"}, "PROFORMA_KAFKA_CA_FILE: there is no file"),
        (lambda ca: {**LOGIN, "kafka_password": None, "kafka_password_file": "/no/pw"},
         "PROFORMA_KAFKA_PASSWORD_FILE: there is no file /no/pw"),
        (lambda ca: {"kafka_security": "tls", "kafka_cert_file": ca.issue("x")}, "are a pair"),
        (lambda ca: {"kafka_security": "tls", "kafka_key_file": ca.issue("x")}, "are a pair"),
        (lambda ca: {**LOGIN, "kafka_username": None}, "needs PROFORMA_KAFKA_USERNAME"),
        (lambda ca: {**LOGIN, "kafka_password": None}, "one of the two"),
        (lambda ca: {**LOGIN, "kafka_password_file": ca.file}, "one of the two"),
        # What is given and would not be used: the wrong surprise.
        (lambda ca: {"kafka_ca_file": ca.file}, "PROFORMA_KAFKA_CA_FILE without TLS"),
        (lambda ca: {"kafka_username": "u", "kafka_password": "p"}, "PROFORMA_KAFKA_PASSWORD without SASL"),
        (lambda ca: {"kafka_security": "tls", "kafka_password": "p"}, "PROFORMA_KAFKA_PASSWORD without SASL"),
        (lambda ca: {**LOGIN, "kafka_security": "sasl_plaintext", "kafka_ca_file": ca.file}, "CA_FILE without TLS"),
        # Files that are there and are no such thing.
        (lambda ca: {"kafka_security": "tls", "kafka_ca_file": Path(__file__)}, "cannot be used"),
        (lambda ca: {"kafka_security": "tls", "kafka_cert_file": ca.file, "kafka_key_file": ca.file}, "cannot be used"),
        (lambda ca: {"kafka_security": "tls", "kafka_cert_file": ca.issue("x"), "kafka_key_file": ca.issue("y")},
         "cannot be used"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused(authority: Authority, of: Callable[[Authority], Given], told: str) -> None:
    with pytest.raises(ValidationError, match=told) as refused:
        read(**of(authority))
    assert len(refused.value.errors()) == 1
    assert "\n" not in refused.value.errors()[0]["msg"]
