"""A service that does nothing but answer its health check: the stack's handling of processes needs no more."""

import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        healthy = self.path == "/health/ready" and os.environ.get("STUB_FAILS") != "health"
        self.send_response(200 if healthy else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


def main() -> None:
    kind = sys.argv[1]
    if os.environ.get("STUB_FAILS") == f"{Path(__file__).parent.name} {kind}":
        sys.exit(f"the stub was told to fail as {kind}")
    if kind in {"migrate", "create-topics"}:
        return
    port = os.environ["PROFORMA_PORT" if kind == "api" else "PROFORMA_WORKER_PORT"]
    HTTPServer((os.environ["PROFORMA_HOST"], int(port)), Healthy).serve_forever()


main()
