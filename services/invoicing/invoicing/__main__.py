"""`python -m invoicing api | worker | migrate`."""

from pathlib import Path

from invoicing.app import build_app
from invoicing.worker import build_work
from proforma.service import Service

SERVICE = Service(
    name="invoicing",
    migrations=Path(__file__).parent.parent / "migrations",
    app=build_app,
    work=build_work,
)

if __name__ == "__main__":
    SERVICE.main()
