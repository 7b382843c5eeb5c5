"""Settings of every service, read from the environment (prefix `PROFORMA_`), and every limit in one place."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


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


class ServiceSettings(BaseSettings):
    """What a service needs from outside. Raises at start when anything is missing, so nothing half-configured runs."""

    model_config = SettingsConfigDict(env_prefix="PROFORMA_", env_nested_delimiter="__", extra="ignore")

    database_url: str
    migration_database_url: str | None = None
    kafka: str
    topic_prefix: str = ""
    auth_public_key_file: Path | None = None
    auth_jwks_url: str | None = None
    auth_issuer: str | None = None
    auth_audience: str | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    worker_port: int = 8010
    log_level: str = "INFO"
    otlp_endpoint: str | None = Field(default=None, pattern=r"^(https?://.+)?$")
    pool_size: int = Field(default=8, ge=1, le=100)
    statement_timeout_s: int = 60
    lock_timeout_s: int = 20
    self_approval: bool = False
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _auth_is_configured(self) -> Self:
        # A service that starts without knowing whose tokens to trust would either refuse everybody or trust anybody.
        if self.auth_public_key_file is None and self.auth_jwks_url is None:
            raise ValueError(
                "set PROFORMA_AUTH_PUBLIC_KEY_FILE or PROFORMA_AUTH_JWKS_URL: no service starts without auth"
            )
        if self.auth_public_key_file is not None and not self.auth_public_key_file.is_file():
            raise ValueError(f"PROFORMA_AUTH_PUBLIC_KEY_FILE: there is no file {self.auth_public_key_file}")
        if not self.auth_issuer or not self.auth_audience:
            raise ValueError("set PROFORMA_AUTH_ISSUER and PROFORMA_AUTH_AUDIENCE: no service starts without auth")
        return self
