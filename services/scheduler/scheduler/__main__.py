"""`python -m scheduler api | worker | migrate`."""

from pathlib import Path

from proforma.service import Service
from scheduler.app import build_app
from scheduler.worker import build_work

SERVICE = Service(name="scheduler", migrations=Path(__file__).parents[1] / "migrations", app=build_app, work=build_work)

if __name__ == "__main__":
    SERVICE.main()
