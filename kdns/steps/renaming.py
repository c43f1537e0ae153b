"""What rewrite's rules make of names: which fit, and what they become.

Names are matched as text, folded and with a final dot, as CoreDNS does; what a rule of the question's name looks for and
what it puts there end in a dot, too, so a prefix or a part ends where a label does. To make text of a name costs more than
all else here, so the octets are looked at first: only a name that may fit becomes text.
"""

import re
from collections.abc import Callable
from typing import Final, TypeAlias

from kdns.config.patterns import Pattern
from kdns.config.rewriting import Match
from kdns.dns import names
from kdns.dns.names import Name, NameTextError

Fits: TypeAlias = Callable[[Name], bool]  # of a folded name
Rename: TypeAlias = Callable[[Name], Name | None]  # the new name of a folded one, None where it doesn't fit
TextChange: TypeAlias = Callable[[str], str | None]  # the same of texts

_GROUP: Final = r"\{(0|[1-9][0-9]{0,2})\}"


def absolute(text: str) -> str:
    """A name or a part of one as rules of the question's name compare it: folded, with a final dot."""
    return text.lower() if text.endswith(".") else f"{text.lower()}."


def fits(source: str | Pattern, match: Match) -> Fits:
    """Whether a name fits; source is what the rule says."""
    if isinstance(source, Pattern):
        search = source.search
        return lambda name: search(names.to_text(name)) is not None
    if match == "exact":
        wanted = name_or_none(absolute(source))
        return lambda name: name == wanted
    source = absolute(source)
    change, may_fit = text_change(source, "", match), _hint(source, match)
    return lambda name: may_fit(name) and change(names.to_text(name)) is not None


def renamer(source: str | Pattern, target: str, match: Match) -> Rename:
    """What a rule of the question's name makes of one.

    What it returns raises NameTextError where the new name is none; so does this, for a target that is to be the name.
    """
    if isinstance(source, Pattern):
        return _by_text(text_change(source, absolute(target), match), lambda _name: True)
    source = absolute(source)
    if match == "exact":
        wanted, found = name_or_none(source), names.from_text(absolute(target))
        return lambda name: found if name == wanted else None
    return _by_text(text_change(source, absolute(target), match), _hint(source, match))


def literal_renamer(source: str | Pattern, target: str, match: Match) -> Rename:
    """As renamer, for rules of a CNAME's target: their texts are taken as they are but for their case."""
    if match == "exact" and not isinstance(source, Pattern):
        return renamer(source, target, match)
    return _by_text(text_change(_folded(source), target.lower(), match), lambda _name: True)


def _folded(source: str | Pattern) -> str | Pattern:
    return source if isinstance(source, Pattern) else source.lower()


def text_change(source: str | Pattern, target: str, match: Match) -> TextChange:
    """What a rule makes of a text; {1} in the target of a pattern is what its first group fits."""
    if isinstance(source, Pattern):
        search, fill = source.search, filling(target)

        def by_pattern(text: str) -> str | None:
            groups = search(text)
            return None if groups is None else fill(groups)

        return by_pattern
    if match == "prefix":
        return lambda text: target + text.removeprefix(source) if text.startswith(source) else None
    if match == "suffix":
        return lambda text: text.removesuffix(source) + target if text.endswith(source) else None
    if match == "substring":
        return lambda text: text.replace(source, target) if source in text else None
    return lambda text: target if text == source else None


def filling(target: str) -> Callable[[tuple[str, ...]], str]:
    """Puts groups into a target; a number that there is no group of stays as it is written."""
    parts = re.split(_GROUP, target)  # texts, and numbers between them
    if len(parts) == 1:
        return lambda _groups: target

    def fill(groups: tuple[str, ...]) -> str:
        said = list(parts)
        for position in range(1, len(parts), 2):
            number = int(parts[position])
            said[position] = groups[number] if number < len(groups) else f"{{{number}}}"
        return "".join(said)

    return fill


def _by_text(change: TextChange, may_fit: Fits) -> Rename:
    def rename(name: Name) -> Name | None:
        if not may_fit(name):
            return None
        changed = change(names.to_text(name))
        return None if changed is None else read(changed)

    return rename


def read(text: str) -> Name:
    """The name that a text writes. Raises NameTextError."""
    try:
        return names.from_text(text)
    except UnicodeEncodeError as error:
        raise NameTextError(f"{text!r} isn't UTF-8") from error


def name_or_none(text: str) -> Name | None:
    """A name to compare with; what is no name is equal to none."""
    try:
        return names.fold(read(text))
    except NameTextError:
        return None


def ending(source: str) -> Name | None:
    """What all names end in whose text ends in source: the labels that it has whole. None where that can't be told."""
    return None if "\\" in source or not source.isascii() else name_or_none(source.partition(".")[2])


def _hint(source: str, match: Match) -> Fits:
    """Whether a name's octets allow that its text fits; True where they can't tell."""
    if "\\" in source or not source.isascii():
        return lambda _name: True
    head, _, tail = source.partition(".")
    if match == "suffix":
        end = ending(source) or b""
        return lambda name: name.endswith(end)
    labels = name_or_none(tail)
    if labels is None:
        return lambda _name: True
    needle = head.encode() + labels[:-1]
    if match == "prefix":
        start = bytes((len(head),)) + needle if len(head) <= names.LABEL_LIMIT else needle
        return lambda name: name.startswith(start)
    return lambda name: name.find(needle) >= 0
