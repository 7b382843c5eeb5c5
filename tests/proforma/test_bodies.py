"""Bodies: what PostgreSQL cannot hold and what we do not know is refused at the door."""

from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from proforma.bodies import (
    Code,
    Currency,
    Description,
    ExternalId,
    Input,
    Name,
    OneOrMany,
    Reason,
    TimeZone,
    as_list,
    one_or_many,
)

ONE_LINE = [(Code, 64), (Name, 200), (ExternalId, 255)]
SEVERAL_LINES = [(Description, 2_000), (Reason, 2_000)]


@pytest.mark.parametrize(("kind", "most"), [*ONE_LINE, *SEVERAL_LINES])
def test_texts_have_their_lengths(kind: Any, most: int) -> None:
    adapter = TypeAdapter(kind)
    assert adapter.validate_python("ü" * most) == "ü" * most
    assert adapter.validate_python(" kept as given ") == " kept as given "
    with pytest.raises(ValidationError):
        adapter.validate_python("x" * (most + 1))


@pytest.mark.parametrize("kind", [kind for kind, _ in ONE_LINE] + [Reason])
def test_empty_is_no_name(kind: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python("")


@pytest.mark.parametrize("bad", ["a\x00b", "\x00", "a\x1bb", "a\x7fb", "a\ud800b", 8, None, ["a"]])
@pytest.mark.parametrize("kind", [kind for kind, _ in ONE_LINE + SEVERAL_LINES])
def test_what_cannot_be_stored_or_shown_is_refused(kind: Any, bad: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(bad)


def test_only_descriptions_and_reasons_have_several_lines() -> None:
    for kind, _ in SEVERAL_LINES:
        assert TypeAdapter(kind).validate_python("a\n\tb\r\nc") == "a\n\tb\r\nc"
    for kind, _ in ONE_LINE:
        for text in ("a\n", "\na", "a\tb", "a\rb"):
            with pytest.raises(ValidationError):
                TypeAdapter(kind).validate_python(text)


@pytest.mark.parametrize("good", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"])
def test_zones_are_ianas(good: str) -> None:
    assert TypeAdapter(TimeZone).validate_python(good) == good


@pytest.mark.parametrize("bad", ["", "Europe", "europe/berlin", "CEST+2", "localtime", "../UTC", "x" * 65])
def test_other_zones_are_refused(bad: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(TimeZone).validate_python(bad)


@pytest.mark.parametrize("bad", ["", "eur", "EURO", "EU", "E1R", "EUR\n", "ÄÖÜ"])
def test_other_currencies_are_refused(bad: str) -> None:
    assert TypeAdapter(Currency).validate_python("EUR") == "EUR"
    with pytest.raises(ValidationError):
        TypeAdapter(Currency).validate_python(bad)


class Thing(Input):
    """A body."""

    name: Name


MANY = OneOrMany[Thing]


@pytest.mark.parametrize("form", [one_or_many(Thing), MANY])
def test_one_or_an_array_of_up_to_a_thousand(form: Any) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(form)
    assert as_list(adapter.validate_python({"name": "a"})) == [Thing(name="a")]
    assert len(as_list(adapter.validate_python([{"name": "a"}] * 1_000))) == 1_000
    for bad in ([], [{"name": "a"}] * 1_001, {"name": "a", "nmae": "b"}, [{"name": "a"}, {}], "a", None):
        with pytest.raises(ValidationError):
            adapter.validate_python(bad)


def test_an_unknown_field_is_an_error() -> None:
    """It is most likely a typing error about money."""
    with pytest.raises(ValidationError, match="Extra inputs"):
        Thing.model_validate({"name": "a", "quantitty": "8"})
    assert issubclass(Thing, BaseModel)
