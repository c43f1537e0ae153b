"""What a survey found, for people and for programs: how many differ as meant, and each other difference with both replies."""

from collections.abc import Sequence
from typing import Any

from kdns.diff.difference import SECTIONS, SILENCE
from kdns.diff.verdict import Intended, Tally, Verdict
from kdns.dns import lines, types
from kdns.dns.message import Message


def as_text(tally: Tally, table: Sequence[Intended], theirs: str, ours: str) -> str:
    """Differences first, so that the end of the output has the counts."""
    found = [line for each in tally.left for line in _verdict(each, theirs, ours)]
    reasons = _reasons(table)
    width = max(map(len, tally.intended), default=0)
    if tally.intended:
        found.append("Differ as intended:")
        found += [f"  {name:<{width}} {count:>7}  {reasons[name]}" for name, count in sorted(tally.intended.items())]
        found.append("")
    found.append(f"{tally.asked} questions to {theirs} and {ours}: {tally.equal} answered the same in everything,")
    found.append(f"{tally.differ_as_meant} otherwise as intended, {len(tally.left)} otherwise without a reason.")
    found.append(f"Rcode, records and TTLs are the same for {tally.same_records} of them.")
    return "\n".join(found) + "\n"


def described(tally: Tally, table: Sequence[Intended], theirs: str, ours: str) -> dict[str, Any]:
    """The same for programs: a plain value."""
    reasons = _reasons(table)
    return {
        "theirs": theirs,
        "ours": ours,
        "asked": tally.asked,
        "equal": tally.equal,
        "same_records": tally.same_records,
        "intended": tally.differ_as_meant,
        "different": len(tally.left),
        "reasons": {name: {"count": count, "reason": reasons[name]} for name, count in sorted(tally.intended.items())},
        "differences": [_differing(each) for each in tally.left],
    }


def _reasons(table: Sequence[Intended]) -> dict[str, str]:
    """The reasons of each name; a directive has several."""
    found: dict[str, list[str]] = {}
    for each in table:
        if each.reason not in found.setdefault(each.name, []):
            found[each.name].append(each.reason)
    return {name: "; ".join(every) for name, every in found.items()}


def _verdict(verdict: Verdict, theirs: str, ours: str) -> list[str]:
    width = max(len(theirs), len(ours))
    pair = verdict.pair
    found = [str(pair.question)]
    found += [f"  differs in {each}" for each in verdict.left]
    found += [f"  as intended: {', '.join(sorted(verdict.reasons))}"] if verdict.reasons else []
    for where, reply in ((theirs, pair.theirs), (ours, pair.ours)):
        first, *rest = _reply(reply)
        found.append(f"  {where:<{width}}  {first}")
        found += [f"  {'':<{width}}  {line}" for line in rest]
    return [*found, ""]


def _reply(reply: Message) -> list[str]:
    """The rcode, then a record a line, with its section where that isn't the answer."""
    if reply == SILENCE:
        return ["no reply"]
    flags = "".join(f" {word}" for mask, word in ((types.AA, "aa"), (types.TC, "tc")) if reply.flags & mask)
    found = [types.rcode_text(reply.rcode) + flags]
    for section in SECTIONS:
        mark = "" if section == "answer" else f"{section}: "
        found += [f"{mark}{lines.line(*each)}" for each in getattr(reply, section)]
    return found


def _differing(verdict: Verdict) -> dict[str, Any]:
    pair = verdict.pair
    return {
        "question": str(pair.question),
        "differences": [each._asdict() for each in verdict.left],
        "intended": sorted(verdict.reasons),
        "theirs": _reply(pair.theirs),
        "ours": _reply(pair.ours),
    }


__all__ = ["as_text", "described"]
