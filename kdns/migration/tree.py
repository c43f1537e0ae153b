"""Parts of an API object as it came, a JSON object that may lack anything: what isn't there, or is of another sort, is empty."""

from collections.abc import Mapping
from typing import TypeAlias

Object: TypeAlias = Mapping[str, object]


def mapping(value: object, *path: str) -> Object:
    """The object at the path."""
    found = _at(value, path)
    return found if isinstance(found, dict) else {}


def items(value: object, *path: str) -> list[Object]:
    """The objects of the list at the path."""
    found = _at(value, path)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def texts(value: object, *path: str) -> list[str]:
    """The texts of the list at the path."""
    found = _at(value, path)
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def text(value: object, *path: str) -> str:
    """The text at the path; a number as text."""
    found = _at(value, path)
    return str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""


def name(value: object) -> str:
    """The name of an object."""
    return text(value, "metadata", "name")


def selects(selector: Object, labels: Object) -> bool:
    """Whether a selector of labels and values takes these labels; an empty one takes nothing."""
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def _at(value: object, path: tuple[str, ...]) -> object:
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value
