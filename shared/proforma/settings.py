"""Settings of every service, read from the environment (prefix `PROFORMA_`), and every limit in one place."""

from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from proforma.kafka_access import KafkaAccess, Mechanism, Security


class Limits(BaseModel):
    """Everything that can grow has a limit here; units are in the names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    body_bytes_max: int = 4 * 1024 * 1024
    batch_max: int = 1_000
    page_default: int = 100
    page_max: int = 1_000
    event_list_max: int = 500
    event_bytes_max: int = 900_000
    chunk_bytes_max: int = 512 * 1024
    upload_bytes_max: int = 4 * 1024 * 1024 * 1024
    idempotency_wait_s: int = 10
    idempotency_keep_days: int = 7
    consume_messages_max: int = 50
    relay_rows_max: int = 500
    relay_bytes_max: int = 8 * 1024 * 1024
    outbox_keep_days: int = 30
    inbox_keep_days: int = 30
    job_step_max: int = 1_000
    job_lease_s: int = 30
    job_stuck_s: int = 300
    claim_contracts_max: int = 50


class KafkaSettings(BaseSettings):
    """Where Kafka is and how to log in: all that `create-topics` needs, and a part of every service's settings."""

    # Compose and Helm hand over what is not set as an empty text.
    model_config = SettingsConfigDict(
        env_prefix="PROFORMA_", env_nested_delimiter="__", env_ignore_empty=True, extra="ignore"
    )

    kafka: str
    topic_prefix: str = ""
    kafka_security: Security = "plaintext"
    kafka_ca_file: Path | None = None
    kafka_cert_file: Path | None = None
    kafka_key_file: Path | None = None
    kafka_sasl_mechanism: Mechanism = "SCRAM-SHA-512"
    kafka_username: str | None = None
    kafka_password: SecretStr | None = None
    kafka_password_file: Path | None = None

    @field_validator(
        "kafka_ca_file", "kafka_cert_file", "kafka_key_file", "kafka_username", "kafka_password",
        "kafka_password_file", mode="before",
    )  # fmt: skip
    @classmethod
    def _empty_is_unset(cls, given: object) -> object:
        # A variable that a compose file or a chart always passes on is empty where nobody set it.
        return None if given == "" else given

    @model_validator(mode="after")
    def _kafka_can_be_used(self) -> Self:
        access = self.kafka_access
        access.addresses()
        for name, file in self._kafka_files().items():
            if file is not None and not file.is_file():
                raise ValueError(f"{name}: there is no file {file}")
        if (access.cert_file is None) != (access.key_file is None):
            raise ValueError("PROFORMA_KAFKA_CERT_FILE and PROFORMA_KAFKA_KEY_FILE are a pair: set both or none")
        if access.sasl:
            if access.username is None:
                raise ValueError(f"PROFORMA_KAFKA_SECURITY={access.security} needs PROFORMA_KAFKA_USERNAME")
            if (access.password is None) == (access.password_file is None):
                raise ValueError("set PROFORMA_KAFKA_PASSWORD or PROFORMA_KAFKA_PASSWORD_FILE, one of the two")
        self._nothing_is_set_in_vain(access)
        try:
            access.login()
        except (OSError, ValueError) as error:
            raise ValueError(f"Kafka's certificates, key or password cannot be used: {error}") from error
        return self

    def _kafka_files(self) -> dict[str, Path | None]:
        return {
            f"PROFORMA_{name.upper()}": getattr(self, name)
            for name in ("kafka_ca_file", "kafka_cert_file", "kafka_key_file", "kafka_password_file")
        }

    def _nothing_is_set_in_vain(self, access: KafkaAccess) -> None:
        # Whoever gives a password or a CA believes that it is used: to connect without would be the wrong surprise.
        for of, used, names in (
            ("TLS", access.tls, ("kafka_ca_file", "kafka_cert_file", "kafka_key_file")),
            ("SASL", access.sasl, ("kafka_username", "kafka_password", "kafka_password_file")),
        ):
            vain = [f"PROFORMA_{name.upper()}" for name in names if getattr(self, name) is not None]
            if vain and not used:
                raise ValueError(f"{', '.join(vain)} without {of}: PROFORMA_KAFKA_SECURITY is {access.security}")

    @property
    def kafka_access(self) -> KafkaAccess:
        """What every connection to Kafka is opened with."""
        return KafkaAccess(
            bootstrap=self.kafka,
            prefix=self.topic_prefix,
            security=self.kafka_security,
            ca_file=self.kafka_ca_file,
            cert_file=self.kafka_cert_file,
            key_file=self.kafka_key_file,
            mechanism=self.kafka_sasl_mechanism,
            username=self.kafka_username,
            password=None if self.kafka_password is None else self.kafka_password.get_secret_value(),
            password_file=self.kafka_password_file,
        )


class ServiceSettings(KafkaSettings):
    """What a service needs from outside. Raises at start when anything is missing, so nothing half-configured runs."""

    database_url: str
    migration_database_url: str | None = None
    database_url_file: Path | None = None
    migration_database_url_file: Path | None = None
    auth_public_key_file: Path | None = None
    auth_public_key: str | None = None
    auth_jwks_url: str | None = None
    auth_issuer: str | None = None
    auth_audience: str | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    worker_port: int = 8010
    log_level: str = "INFO"
    otlp_endpoint: str | None = Field(default=None, pattern=r"^(https?://.+)?$")
    pool_size: int = Field(default=8, ge=1, le=100)
    pool_wait_s: int = Field(default=10, ge=1)
    # Never 0, which PostgreSQL reads as "for ever".
    statement_timeout_s: int = Field(default=60, ge=1)
    lock_timeout_s: int = Field(default=20, ge=1)
    idle_in_transaction_timeout_s: int = Field(default=60, ge=1)
    self_approval: bool = False
    limits: Limits = Limits()

    @model_validator(mode="before")
    @classmethod
    def _urls_from_files(cls, given: dict[str, Any]) -> dict[str, Any]:
        """What holds a password may come as a file: variables are seen by whoever may list processes or pods."""
        found = dict(given)
        for name in ("database_url", "migration_database_url"):
            # A variable that a compose file or a chart always passes on is empty where nobody set it.
            file = found[f"{name}_file"] = found.get(f"{name}_file") or None
            if not file:
                continue
            if found.get(name):
                raise ValueError(f"set PROFORMA_{name.upper()} or PROFORMA_{name.upper()}_FILE, not both")
            try:
                found[name] = Path(file).read_text().strip()
            except (OSError, UnicodeDecodeError) as error:
                raise ValueError(f"PROFORMA_{name.upper()}_FILE: {error}") from error
            if not found[name]:
                raise ValueError(f"PROFORMA_{name.upper()}_FILE: {file} is empty")
        return found

    @model_validator(mode="after")
    def _auth_is_configured(self) -> Self:
        # A service that starts without knowing whose tokens to trust would either refuse everybody or trust anybody.
        if not (self.auth_public_key_file or self.auth_public_key or self.auth_jwks_url):
            raise ValueError(
                "set PROFORMA_AUTH_PUBLIC_KEY_FILE, PROFORMA_AUTH_PUBLIC_KEY or PROFORMA_AUTH_JWKS_URL:"
                " no service starts without auth"
            )
        if self.auth_public_key_file is not None and not self.auth_public_key_file.is_file():
            raise ValueError(f"PROFORMA_AUTH_PUBLIC_KEY_FILE: there is no file {self.auth_public_key_file}")
        if not self.auth_issuer or not self.auth_audience:
            raise ValueError("set PROFORMA_AUTH_ISSUER and PROFORMA_AUTH_AUDIENCE: no service starts without auth")
        return self
