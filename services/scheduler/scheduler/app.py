"""The api process: this service's routers on the kernel's app."""

from fastapi import FastAPI

from proforma.admin import admin_routers
from proforma.http import create_app
from proforma.runtime import Runtime
from scheduler.days.routes import routes as days
from scheduler.pauses.routes import routes as pauses
from scheduler.schedules.routes import routes as schedules
from scheduler.triggers.routes import routes as triggers
from scheduler.worker import ASKS, HANDLERS

_ABOUT = """
The calendar: copies of contract lines' invoice schedules, and one trigger for each of their rows, published once
when the row's run date begins in the contract's time zone, unless the schedule is paused.
"""


def build_app(runtime: Runtime) -> FastAPI:
    """The service's HTTP side."""
    routers = [schedules, pauses, triggers, days, *admin_routers(HANDLERS, ASKS)]
    return create_app(runtime, routers, "Proforma scheduler", _ABOUT.strip())
