"""What is no service's own: `python -m proforma create-topics` and `python -m proforma token`."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from proforma import topic_command
from proforma.clock import SystemClock
from proforma.commands import OneLineParser
from proforma.tokens import Claims, Unusable, lifetime_of, mint


def parser() -> OneLineParser:
    """What the command line can say."""
    found = OneLineParser(prog="python -m proforma")
    commands = found.add_subparsers(dest="command", metavar="command", required=True)
    create = commands.add_parser("create-topics", help=topic_command.HELP)
    topic_command.add_arguments(create)
    create.set_defaults(run=topic_command.run)
    token = commands.add_parser("token", help="mint a bearer token, for tests and trials only")
    token.add_argument("--key", type=Path, required=True, metavar="file", help="the private key, PEM")
    token.add_argument("--roles", type=_list, required=True, help="such as biller,manager")
    token.add_argument("--sub", required=True, help="whose it is")
    token.add_argument("--projects", type=_list, default=None, help="narrowed to these codes (all)")
    token.add_argument("--lifetime", default="1h", help="90s, 15m, 8h or 7d, up to 30d (1h)")
    token.add_argument("--issuer", default=os.environ.get("PROFORMA_AUTH_ISSUER"), help="PROFORMA_AUTH_ISSUER")
    token.add_argument("--audience", default=os.environ.get("PROFORMA_AUTH_AUDIENCE"), help="PROFORMA_AUTH_AUDIENCE")
    token.add_argument("--key-id", default=None, help="the key's `kid`, where services read a JWKS")
    token.set_defaults(run=_token)
    return found


def _list(text: str) -> list[str]:
    return [part for part in (one.strip() for one in text.split(",")) if part]


def _token(arguments: argparse.Namespace) -> None:
    if not arguments.issuer or not arguments.audience:
        sys.exit("proforma: set PROFORMA_AUTH_ISSUER and PROFORMA_AUTH_AUDIENCE, or say --issuer and --audience")
    claims = Claims(arguments.sub, arguments.roles, arguments.issuer, arguments.audience, arguments.projects)
    try:
        made = mint(arguments.key, claims, SystemClock().now(), lifetime_of(arguments.lifetime), arguments.key_id)
    except Unusable as error:
        sys.exit(f"proforma: {error}")
    sys.stdout.write(f"{made}\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads what it needs besides its arguments from the environment, as services do."""
    parsed = parser().parse_args(arguments)
    parsed.run(parsed)


if __name__ == "__main__":
    main()
