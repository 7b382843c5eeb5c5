"""What the tests of the embedded stack share. Everything is in temporary folders and on free ports."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.databases import SERVICES

STUB = Path(__file__).with_name("stub_service.py")


@pytest.fixture(scope="module")
def stub_services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Puts a stub in front of the real packages for processes that are started from here."""
    stubs = tmp_path_factory.mktemp("stubs")
    for package in [*SERVICES.values(), "proforma"]:
        (stubs / package).mkdir()
        (stubs / package / "__init__.py").touch()
        shutil.copy(STUB, stubs / package / "__main__.py")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(stubs))
        yield
