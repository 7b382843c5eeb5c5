"""The image's health check: whether the api or worker in this container says that it is ready.

Run by `python -IS` every few seconds in every container: it imports as little as possible (20 ms of CPU).
"""

import os
import socket
import sys

SECONDS = 4


def ready(port: int) -> bool:
    """Whether /health/ready is answered with 200."""
    try:
        with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
            connection.settimeout(SECONDS)
            connection.sendall(b"GET /health/ready HTTP/1.0\r\nHost: localhost\r\n\r\n")
            return connection.recv(64).split(b" ")[1:2] == [b"200"]
    except OSError:
        return False


if __name__ == "__main__":
    # A container is an api or a worker, and only one of the two ports is open.
    ports = {int(os.environ[name]) for name in ("PROFORMA_PORT", "PROFORMA_WORKER_PORT")}
    sys.exit(not any(ready(port) for port in ports))
