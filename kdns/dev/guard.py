"""Whether names sound like production: a guess, made to be asked rather than to be sorry.

Pure. A word counts that begins or ends with prod or prd, or is live; not where non or not stands before it, nor product
and what is made of that, but for production.
"""

import re
from collections.abc import Iterable
from typing import Final

_WORD: Final = re.compile(r"[a-z]+")
_MEANT: Final = re.compile(r"live|pro?d.*|.*pro?d|.*production")
_OTHER: Final = re.compile(r"non.*|product(?!ion).*")
_DENIALS: Final = frozenset(("non", "not"))


def sounding_like_production(names: Iterable[str]) -> str | None:
    """The first of the names that does, None where none does."""
    return next((name for name in names if _sounds_so(name)), None)


def _sounds_so(name: str) -> bool:
    words = _WORD.findall(name.lower())
    return any(
        _MEANT.fullmatch(word) and not _OTHER.fullmatch(word) and before not in _DENIALS
        for before, word in zip(["", *words], words, strict=False)
    )
