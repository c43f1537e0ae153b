"""Patterns: regular expressions as CoreDNS takes them, that is Go's, searched in time linear to the text.

The one importer of re2, whose syntax Go's is; see docs/decisions/2026-11-21-re2.md. It is imported when the first
pattern is made. A pattern is a value: equal to any other of the same text.
"""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    import re2

LENGTH_MAX: Final = 10_000  # as in CoreDNS
_MEMORY_BYTES: Final = 8 << 20  # RE2's own bound for a pattern and its automata, which are made anew past it


class PatternError(ValueError):
    """A text that is no pattern; the message says why."""


class Pattern:
    """A regular expression. Immutable; made by compiled alone."""

    __slots__ = ("_compiled", "text")

    def __init__(self, text: str, compiled: "re2._Regexp") -> None:
        self.text: Final = text
        self._compiled: Final = compiled

    @classmethod
    def compiled(cls, text: str) -> "Pattern":
        """The pattern that text writes; raises PatternError."""
        if len(text) > LENGTH_MAX:
            raise PatternError(f"found {len(text)} characters")
        import re2  # noqa: PLC0415 - 5 ms that only files with patterns pay

        options = re2.Options()
        options.log_errors = False
        options.max_mem = _MEMORY_BYTES
        try:
            return cls(text, re2.compile(text, options))
        except re2.error as error:
            raise PatternError(_reason(error)) from error
        except UnicodeEncodeError as error:
            raise PatternError("found what is no text") from error

    @property
    def groups(self) -> int:
        """How many groups there are."""
        count: int = self._compiled.groups
        return count

    @property
    def names(self) -> "Mapping[str, int]":
        """The groups that have names, with their numbers."""
        names: Mapping[str, int] = self._compiled.groupindex
        return names

    def search(self, text: str) -> tuple[str, ...] | None:
        """The whole match and then its groups, empty where one took no part; None if nothing matches."""
        found = self._compiled.search(text)
        return None if found is None else (found.group(), *(each or "" for each in found.groups()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pattern) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else ""
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
