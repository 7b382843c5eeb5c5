"""What the command line needs beside `docker compose`: `python -m local.compose env | example | stack`.

`env` writes `.env`, `example` prints it without secrets. `stack` writes where the stack is and a token per role, in the
form of the embedded stack's `stack.json`, so that the demo plays on either.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt

from local import dotenv
from local.databases import SERVICES
from local.keys import ROLES
from local.processes import HOST, LocalError
from local.services import USUAL_PORTS, answers_ok

ROOT = Path(__file__).parents[2]
ENV_FILE = ROOT / ".env"
STACK_FILE = ROOT / ".proforma" / "compose.json"
AGAIN = "make demo STACK=compose DATA=<csv>"
STOP = "docker compose down"
VALID = timedelta(days=1)


def addresses(values: Mapping[str, str]) -> dict[str, str]:
    """The URL of each api, as docker-compose.yml publishes them."""
    host = values.get("PROFORMA_BIND") or HOST
    return {
        service: f"http://{host}:{values.get(f'{database.upper()}_PORT') or USUAL_PORTS[f'{service}-api']}"
        for service, database in SERVICES.items()
    }


def tokens(values: Mapping[str, str]) -> dict[str, str]:
    """A token per role, valid for a day; raises LocalError where .env has no key to sign with."""
    key, now = dotenv.signing_key(values), datetime.now(UTC)
    claims = {
        "iss": values["PROFORMA_AUTH_ISSUER"],
        "aud": values["PROFORMA_AUTH_AUDIENCE"],
        "iat": now,
        "exp": now + VALID,
    }
    return {
        role: jwt.encode({**claims, "sub": f"local-{role}", "roles": [role]}, key, algorithm="ES256") for role in ROLES
    }


def write_stack(values: Mapping[str, str], path: Path) -> None:
    """Write addresses and tokens, for the owner's eyes; raises LocalError when an api is not ready."""
    services = addresses(values)
    silent = [f"{name} ({url})" for name, url in services.items() if not answers_ok(f"{url}/health/ready")]
    if silent:
        raise LocalError(f"not ready: {', '.join(silent)}; look at `docker compose ps`, or start with `up -d`")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    facts = {"services": services, "tokens": tokens(values), "again": AGAIN, "stop": STOP}
    path.write_text(json.dumps(facts, indent=2) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.compose")
    parser.add_argument("command", choices=["env", "example", "stack"])
    command = parser.parse_args().command
    try:
        if command == "example":
            sys.stdout.write(dotenv.text(dotenv.fresh(), with_secrets=False))
        elif command == "env":
            dotenv.write(ENV_FILE)
            print(f"wrote {ENV_FILE}: passwords and keys of this stack's own")
        else:
            write_stack(dotenv.read(ENV_FILE), STACK_FILE)
            print(f"wrote {STACK_FILE}: addresses, and a token per role for a day")
    except LocalError as error:
        print(f"proforma: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
