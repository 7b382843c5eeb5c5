"""An operator's command of a service, with the addresses of the stack that is up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence

from local.databases import SERVICES, ServiceDatabase
from local.keys import Keys
from local.processes import LocalError
from local.services import World
from local.stack import Stack


def operate(stack: Stack, words: Sequence[str]) -> int:
    """Runs `<service> <command> …`; returns the command's exit code."""
    if not words or words[0] not in SERVICES:
        raise LocalError(f"which service? one of {', '.join(SERVICES)}, and then its command")
    if not stack.file.exists():
        raise LocalError("Proforma is not up: make up")
    service, *command = words
    facts = json.loads(stack.file.read_text())
    database = ServiceDatabase(service, facts["databases"][service], owner_url="")
    world = World(stack.folder, facts["kafka"], {service: database}, Keys(stack.folder / "keys").public_file)
    environment = {**os.environ, **world.environment(service)}
    return subprocess.run([sys.executable, "-m", SERVICES[service], *command], env=environment, check=False).returncode
