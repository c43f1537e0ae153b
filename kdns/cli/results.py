"""Results as people or programs read them: text, JSON or YAML, on standard output; the one place that writes them.

A command hands in what it found twice, as text and as a plain value (objects, lists, texts, numbers); only what was asked for
is made. YAML is that of any reader, 1.1 or 1.2: every text is quoted as in JSON.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final

import click

from kdns.cli.declaring import TEXT

_PLAIN_KEY: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
# What YAML 1.1 takes for something else than a text.
_WORDS: Final = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))


def show(output: str, value: Callable[[], Any], text: Callable[[], str]) -> None:
    """Writes it in one of declaring.FORMATS. Raises click.ClickException where it can't be written."""
    told = text() if output == TEXT else as_json(value()) if output == "json" else as_yaml(value())
    try:
        sys.stdout.write(told)
        sys.stdout.flush()
    except BrokenPipeError:
        raise  # who reads has seen enough; click ends quietly
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left isn't tried once more at the end
        raise click.ClickException(f"standard output: {error.strerror}") from error


def as_json(value: Any) -> str:
    """Any plain value."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def as_yaml(value: Any) -> str:
    """The same, in block style."""
    return "".join(f"{line}\n" for line in _lines(value, ""))


def _lines(value: Any, indent: str) -> Iterator[str]:
    if not (isinstance(value, dict | list | tuple) and value):
        yield f"{indent}{_scalar(value)}"
        return
    pairs = [(f"{_key(key)}:", each) for key, each in value.items()] if isinstance(value, dict) else []
    for head, each in pairs or [("-", each) for each in value]:
        if not (isinstance(each, dict | list | tuple) and each):
            yield f"{indent}{head} {_scalar(each)}"
        elif head == "-":
            first, *rest = _lines(each, f"{indent}  ")
            yield f"{indent}- {first.lstrip()}"
            yield from rest
        else:
            yield f"{indent}{head}"
            yield from _lines(each, f"{indent}  ")


def _key(key: str) -> str:
    plain = key[:1].isalpha() and _PLAIN_KEY.issuperset(key) and key.lower() not in _WORDS
    return key if plain else _scalar(key)


def _scalar(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    if isinstance(value, float) and "." not in text:
        return text.replace("e", ".0e")  # a number of YAML 1.1 has a point
    return "".join(each if each.isprintable() else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    return f"\\U{ord(character):08x}"
