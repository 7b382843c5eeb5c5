"""`python -m time_expense api | worker | migrate`."""

from pathlib import Path

from proforma.service import Service
from time_expense.app import build_app
from time_expense.worker import build_work

SERVICE = Service("time-expense", Path(__file__).parents[1] / "migrations", build_app, build_work)

if __name__ == "__main__":
    SERVICE.main()
