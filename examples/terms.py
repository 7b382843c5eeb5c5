"""The sample's commercial side: customers, rates, contracts with their lines, schedules. All of it is invented.

Deliberately incomplete, as real life is: the role data-steward has no sales rate, the task `guarantee` of
FLEET-TELEMATICS is on no contract line, and INTERNAL-TOOLING belongs to no contract.
"""

from typing import Any

INTERNAL = "INTERNAL-TOOLING"
BOOKED_AHEAD = ("WAREHOUSE-PORTAL", "PATIENT-SCHEDULING", "LINE-VISION")

WORDS = {
    "workshop": ("Workshop with the department", "Workshop: the next release", "Workshop: open questions"),
    "concept": ("Concept, draft for comments", "Concept, second version", "Concept: interfaces and data"),
    "build": ("Forms and validation", "Interface to the ERP system", "Search and filters", "Roles and rights"),
    "test": ("Acceptance test", "Regression test of the release", "Load test and findings"),
    "rollout": ("Rollout at the first site", "Training of key users", "Support after the go-live"),
    "guarantee": ("Repair under guarantee",),
    "tooling": ("Build server", "Templates of our own"),
}
_USUAL = ("workshop", "concept", "build", "build", "build", "test", "rollout")
TASKS = {
    "WAREHOUSE-PORTAL": _USUAL,
    "FLEET-TELEMATICS": (*_USUAL, *_USUAL, "guarantee"),
    "PATIENT-SCHEDULING": _USUAL,
    "CLINIC-DATA": _USUAL,
    "CLINIC-REPORTS": _USUAL,
    "LINE-VISION": _USUAL,
    "PARTS-SHOP": _USUAL,
    INTERNAL: ("tooling",),
}

CUSTOMERS: list[dict[str, Any]] = [
    {
        "external_id": "nordwind",
        "name": "Nordwind Logistik GmbH",
        "billing_address": "Kaistraße 14\n20457 Hamburg\nGermany",
        "payment_terms_days": 30,
        "tax_id": "DE999000111",
    },
    {
        "external_id": "harborview",
        "name": "Harborview Health, Inc.",
        "billing_address": "200 Seaport Lane\nBoston, MA 02210\nUSA",
        "payment_terms_days": 45,
        "tax_id": "99-0001112",
    },
    {
        "external_id": "sakura",
        "name": "Sakura Precision K.K.",
        "billing_address": "3-1 Kitahama\nChuo-ku, Osaka 541-0041\nJapan",
        "payment_terms_days": 60,
        "tax_id": "T9990001112223",
    },
]

# What an hour costs us in euro, by role; data-steward is in the cost lists only.
_COST = {
    "architect": "74.50",
    "senior-consultant": "71.25",
    "senior-developer": "66.80",
    "consultant": "58.40",
    "designer": "55.15",
    "developer": "52.35",
    "tester": "46.90",
    "data-steward": "49.75",
}
_SALES = {
    "EUR": {
        "architect": "162.50", "senior-consultant": "155.00", "senior-developer": "138.75", "consultant": "124.90",
        "designer": "118.40", "developer": "112.35", "tester": "96.85",
    },
    "USD": {
        "architect": "189.00", "senior-consultant": "179.50", "senior-developer": "161.25", "consultant": "144.40",
        "designer": "137.15", "developer": "129.95", "tester": "112.60",
    },
    "JPY": {
        "architect": "24800", "senior-consultant": "23650", "senior-developer": "21150", "consultant": "19050",
        "designer": "18075", "developer": "17125", "tester": "14775",
    },
}  # fmt: skip


def price_lists() -> list[dict[str, Any]]:
    """A sales list for each currency, and one cost list in euro."""
    sales = [
        {
            "external_id": f"sales-{currency.lower()}",
            "name": f"Services 2026 in {currency}",
            "kind": "sales",
            "currency": currency,
            "rates": _rates(rates),
        }
        for currency, rates in _SALES.items()
    ]
    cost = {
        "external_id": "cost-eur", "name": "Cost of people 2026", "kind": "cost", "currency": "EUR",
        "rates": _rates(_COST),
    }  # fmt: skip
    return [*sales, cost]


def _rates(prices: dict[str, str]) -> list[dict[str, str]]:
    return [{"class": "time", "role": role, "price": price} for role, price in prices.items()]


# Currency and time zone of a customer's contracts.
_TERMS = {
    "nordwind": ("EUR", "Europe/Berlin"),
    "harborview": ("USD", "America/New_York"),
    "sakura": ("JPY", "Asia/Tokyo"),
}


def _contract(external_id: str, name: str, customer: str, lines: list[dict[str, Any]]) -> dict[str, Any]:
    currency, time_zone = _TERMS[customer]
    return {
        "external_id": external_id,
        "name": name,
        "customer": customer,
        "currency": currency,
        "time_zone": time_zone,
        "sales_price_lists": [f"sales-{currency.lower()}"],
        "cost_price_list": "cost-eur",
        "lines": lines,
    }


def _line(external_id: str, name: str, project: str, tasks: list[str] | None = None) -> dict[str, Any]:
    return {
        "external_id": external_id,
        "name": name,
        "kind": "project",
        "billing_method": "time_and_material",
        "project": project,
        "tasks": tasks,
        "includes": ["time"],
    }


CONTRACTS: list[dict[str, Any]] = [
    _contract("warehouse", "Warehouse portal", "nordwind", [
        _line("warehouse-work", "Portal: all work", "WAREHOUSE-PORTAL"),
    ]),
    _contract("fleet", "Fleet telematics", "nordwind", [
        _line("fleet-build", "Telematics: build and test", "FLEET-TELEMATICS", ["build", "test", "rollout"]),
        _line("fleet-advice", "Telematics: advice", "FLEET-TELEMATICS", ["workshop", "concept"]),
    ]),
    _contract("patients", "Patient scheduling", "harborview", [
        _line("patients-work", "Scheduling: all work", "PATIENT-SCHEDULING"),
    ]),
    _contract("clinic", "Clinic data platform", "harborview", [
        _line("clinic-data", "Data platform", "CLINIC-DATA"),
        _line("clinic-reports", "Reports", "CLINIC-REPORTS"),
    ]),
    _contract("vision", "Line vision", "sakura", [
        _line("vision-work", "Vision: all work", "LINE-VISION"),
    ]),
    _contract("parts", "Spare parts shop", "sakura", [
        _line("parts-work", "Shop: all work", "PARTS-SHOP"),
    ]),
]  # fmt: skip

# Both lines of one contract run on the same days, so that each day's work shares one draft.
_MONTH_ENDS = [
    {"run_date": "2026-02-02", "cut_off": "2026-01-31"},
    {"run_date": "2026-03-02", "cut_off": "2026-02-28"},
]
SCHEDULES: list[dict[str, Any]] = [
    {"contract_line": "fleet-build", "rows": _MONTH_ENDS},
    {"contract_line": "fleet-advice", "rows": _MONTH_ENDS},
]
