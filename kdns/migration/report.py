"""What is told of a migration: the Corefile line by line, the cluster part by part, the commands there and back."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from kdns.migration.finding import DIFFERS, SUPPORTED, UNKNOWN, UNSUPPORTED, Finding, Mark, status
from kdns.migration.lines import Said, counted

_SIGNS: Final[dict[Mark | None, str]] = {SUPPORTED: "✔", DIFFERS: "≈", UNSUPPORTED: "✘", UNKNOWN: "?", None: " "}


class Commands(NamedTuple):
    """What to run to have kdns in CoreDNS' place, and to have it back; IMAGE stands for the image."""

    there: tuple[str, ...]
    back: tuple[str, ...]


class Told(NamedTuple):
    """All of it."""

    lines: tuple[Said, ...]
    findings: tuple[Finding, ...]
    commands: Commands | None
    unread: str = ""  # why nothing is said of the cluster

    @property
    def status(self) -> int:
        """The exit status."""
        marks = [*(each.mark for each in self.lines), *(each.mark for each in self.findings)]
        return status(mark for mark in marks if mark is not None)


def commands(namespace: str, where: str, container: str) -> Commands:
    """The commands for what kubectl calls so; undo takes back the last change, so the image has to be that."""
    rollout = f"kubectl -n {namespace} rollout"
    return Commands(
        (f"kubectl -n {namespace} set image {where} {container}=IMAGE", f"{rollout} status {where}"),
        (f"{rollout} undo {where}",),
    )


def as_text(told: Told) -> str:
    """For people."""
    found = [*_corefile(told.lines), *_cluster(told)]
    if told.commands:
        for title, lines in (("Over to kdns", told.commands.there), ("And back", told.commands.back)):
            found += ["", f"{title}:", *(f"  {line}" for line in lines)]
    counts = counted(told.lines)
    parts = [f"{_SIGNS[mark]} {number} {mark}" for mark, number in counts.items()]
    return "\n".join([*found, "", f"Lines of the Corefile: {', '.join(parts)}"]) + "\n"


def _corefile(lines: Sequence[Said]) -> list[str]:
    found: list[str] = []
    file = None
    width = max((len(str(each.number)) for each in lines), default=0)
    for each in lines:
        if each.file != file:
            found += [*([""] if found else []), each.file]
            file = each.file
        found.append(f"{_SIGNS[each.mark]} {each.number:>{width}}  {_plain(each.text)}".rstrip())
        found += [f"  {'':>{width}}    {_plain(sentence)}" for sentence in each.sentences]
        found += [f"  {'':>{width}}    see {each.page}"] if each.page else []
    return found


def _cluster(told: Told) -> list[str]:
    if told.unread:
        return ["", f"Nothing is said of the cluster: {told.unread}"]
    found: list[str] = []
    for each in told.findings:
        found.append(f"{_SIGNS[each.mark]} {_plain(each.subject)}: {_plain(each.message)}")
        found += [f"    {_plain(each.instead)}"] if each.instead else []
    return ["", "In the cluster", *found]


def _plain(text: str) -> str:
    """The text, in which nothing can move a terminal's cursor."""
    return "".join(each if each.isprintable() or each == "\t" else "\N{REPLACEMENT CHARACTER}" for each in text)


def described(told: Told) -> dict[str, object]:
    """For programs: a plain value."""
    lines = [{**each._asdict(), "sentences": list(each.sentences)} for each in told.lines if each.mark is not None]
    return {
        "status": told.status,
        "corefile": lines,
        "cluster": [each._asdict() for each in told.findings],
        "unread": told.unread,
        "commands": told.commands._asdict() if told.commands else None,
    }


__all__ = ["Commands", "Told", "as_text", "commands", "described"]
