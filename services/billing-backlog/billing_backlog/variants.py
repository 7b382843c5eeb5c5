"""Bodies that take one of several forms: what is wrong is named field by field, as in bodies of one form."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, BeforeValidator, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError


def wrong(errors: Mapping[str, str], value: object) -> ValidationError:
    """The error that names these fields of a body, each with what is wrong; raise it inside a validator."""
    details = [
        InitErrorDetails(type=PydanticCustomError("wrong_field", "{wrong}", {"wrong": what}), loc=(name,), input=value)
        for name, what in errors.items()
    ]
    return _error(*details)


def one_of(field: str, forms: Mapping[str, type[BaseModel]]) -> BeforeValidator:
    """Reads a body by the form that its `field` names, so that nothing is said of the other forms' fields.

    A union that tries its forms in turn would name what every one of them misses.
    """
    expected = " or ".join(f"'{name}'" for name in forms)

    def read(value: Any) -> Any:
        if isinstance(value, BaseModel):
            return value
        if not isinstance(value, dict):
            raise ValueError("an object")
        if field not in value:
            raise _error(InitErrorDetails(type="missing", loc=(field,), input=value))
        form = forms.get(value[field]) if isinstance(value[field], str) else None
        if form is None:
            named = InitErrorDetails(type="literal_error", loc=(field,), input=value[field], ctx={"expected": expected})
            raise _error(named)
        return form.model_validate(value)

    return BeforeValidator(read)


def _error(*details: InitErrorDetails) -> ValidationError:
    return ValidationError.from_exception_data("body", list(details))
