"""`python -m billing_backlog api | worker | migrate`."""

from pathlib import Path

from billing_backlog.app import build_app
from billing_backlog.worker import build_work
from proforma.service import Service

SERVICE = Service("billing-backlog", Path(__file__).parents[1] / "migrations", build_app, build_work)

if __name__ == "__main__":
    SERVICE.main()
