"""Environment variables in a Corefile: {$NAME} and {%NAME%}, replaced within a token once it has been read.

A value is never cut into words, and never read again: a value that names a variable stays as it is. An unset variable is
an empty text; a reference without a name stays, with all behind it.
Source: coredns/caddy, caddyfile/parse.go, replaceEnvVars (CoreDNS 1.14), which reads values again.
"""

from collections.abc import Callable, Mapping
from typing import Final

_FORMS: Final = (("{%", "%}"), ("{$", "}"))


def substitute(text: str, environment: Mapping[str, str], unset: Callable[[str], object]) -> str:
    """The text with its variables replaced; unset is called with the name of each that isn't there."""
    if "{" not in text:
        return text
    for start, end in _FORMS:
        text = _substitute(text, start, end, environment, unset)
    return text


def _substitute(text: str, start: str, end: str, environment: Mapping[str, str], unset: Callable[[str], object]) -> str:
    parts: list[str] = []
    position = 0
    while (opened := text.find(start, position)) >= 0:
        # The percent sign of {%} would be both signs at once: CoreDNS takes it for an empty name.
        closed = text.find(end, opened)
        name = text[opened + len(start) : closed]
        if closed < 0 or not name or closed < opened + len(start):
            break
        if name not in environment:
            unset(name)
        parts += text[position:opened], environment.get(name, "")
        position = closed + len(end)
    return "".join([*parts, text[position:]])
