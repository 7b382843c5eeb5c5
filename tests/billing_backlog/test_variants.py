"""Bodies of several forms: errors name fields, and only those of the form that was meant."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError, model_validator

from billing_backlog.variants import one_of, wrong


class Dog(BaseModel):
    kind: Literal["dog"]
    legs: int

    @model_validator(mode="after")
    def _legs(self) -> "Dog":
        if self.legs > 4:
            raise wrong({"legs": "four {legs} at most"}, self)
        return self


class Fish(BaseModel):
    kind: Literal["fish"]
    fins: int


PETS: TypeAdapter[list[Dog | Fish]] = TypeAdapter(
    list[Annotated[Dog | Fish, one_of("kind", {"dog": Dog, "fish": Fish})]]
)


@pytest.mark.parametrize(
    ("sent", "at"),
    [
        ({"kind": "dog"}, ("legs",)),
        ({"kind": "fish", "legs": 1}, ("fins",)),
        ({"kind": "dog", "legs": 5}, ("legs",)),
        ({"kind": "bird"}, ("kind",)),
        ({"kind": ["dog"]}, ("kind",)),
        ({}, ("kind",)),
        ("dog", ()),
        (None, ()),
    ],
)
def test_what_is_wrong_is_named_by_its_field(sent: Any, at: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        PETS.validate_python([{"kind": "fish", "fins": 2}, sent])
    assert [error["loc"] for error in caught.value.errors()] == [(1, *at)]


def test_a_form_is_read_by_its_name() -> None:
    assert PETS.validate_python([{"kind": "fish", "fins": 2}, Dog(kind="dog", legs=4)]) == [
        Fish(kind="fish", fins=2),
        Dog(kind="dog", legs=4),
    ]
