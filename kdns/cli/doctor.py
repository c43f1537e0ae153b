"""Looking whether kdns dev works on this machine, a line for each part of it."""

import os
from collections.abc import Sequence
from functools import partial
from typing import Final

from kdns.cli import results
from kdns.config.defaults import DEV_LISTEN
from kdns.dev import doctor as looks
from kdns.dev import journal, split
from kdns.dev.doctor import Finding

_FAILURE: Final = 1


def doctor(output: str) -> int:
    """Says what it finds; the exit status."""
    host, _, port = DEV_LISTEN.rpartition(":")
    findings = looks.look((host, int(port)))
    try:
        changed = split.status(journal.place(os.environ))
    except split.SplitError as error:
        changed = (str(error),)
    results.show(output, partial(_described, findings, changed), partial(_text, findings, changed))
    return _FAILURE if any(each.why for each in findings) else 0


def _described(findings: Sequence[Finding], changed: Sequence[str]) -> dict[str, object]:
    told = [{"what": each.what, "works": not each.why, "why": each.why} for each in findings]
    return {"findings": told, "machine": changed}


def _text(findings: Sequence[Finding], changed: Sequence[str]) -> str:
    return "".join(f"{each}\n" for each in (*findings, *changed))
