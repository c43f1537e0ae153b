"""Comparing: two servers, all names of a cluster, and in what their replies differ."""

import os
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final, NamedTuple

import click

from kdns.cli import listed, results
from kdns.cli.progress import bar, progress
from kdns.config.disk import Disk
from kdns.config.flags import address
from kdns.config.mnemonics import TYPES
from kdns.config.parser import parse
from kdns.config.settings import SettingsError
from kdns.diff import intended, naming, report
from kdns.diff.naming import ADDRESSES
from kdns.diff.question import Question
from kdns.diff.survey import Manner, Scope, Servers, ages, check, survey
from kdns.dns.foreign import ForeignError
from kdns.dns.names import NameTextError, fold, from_text
from kdns.sources.errors import SourceError

_DIFFER: Final = 1
_NOT_ASKED: Final = 2
_STDIN: Final = "-"
# Of kubeadm's Corefile those whose known differences replies show.
_USED: Final = ("cache", "kubernetes")


class Asked(NamedTuple):
    """The flags as they were given."""

    against: str
    server: str
    kubeconfig: str | None
    context: str | None
    manifests: tuple[str, ...]
    zone: str
    names: str | None
    types: str | None
    limit: int | None
    rate: int
    conf: str | None


def diff(asked: Asked, output: str) -> int:
    """Asks both and tells what differs; the exit status. Raises click.UsageError."""
    try:
        return _diff(asked, output)
    except (SettingsError, NameTextError) as error:
        raise click.UsageError(str(error)) from error
    except (SourceError, ForeignError, OSError) as error:
        sys.stderr.write(f"kdns: {_reason(error)}\n")
        return _NOT_ASKED


def _diff(asked: Asked, output: str) -> int:
    servers = Servers(address(asked.against, "--against", 53), address(asked.server, "--server", 53))
    origin, rtypes = fold(from_text(asked.zone)), frozenset(map(_type, asked.types.split(",") if asked.types else ()))
    wanted = [*_named(asked.names)] if asked.names else []
    source = listed.source_of(asked.kubeconfig, asked.context, asked.manifests)
    manner = Manner(rate=float(asked.rate))
    table = (*intended.table((asked.zone,), used=_used(asked.conf)), ages((origin, *intended.REVERSE)))
    with progress("asking both servers") as shown:
        for each in servers:
            check(each, origin, manner.timeout_s)
        found = listed.read(source, origin, shown)
        questions = [*naming.questions(found.sets, origin), *found.questions(), *wanted]

        def show(done: int, of: int) -> None:
            shown.text = bar(done, of, "questions")

        scope = Scope((origin,), rtypes, asked.limit or 0)
        tally = survey(servers, questions, table, scope, manner, show)
    theirs, ours = map(str, servers)
    results.show(
        output,
        partial(report.described, tally, table, theirs, ours),
        partial(report.as_text, tally, table, theirs, ours),
    )
    return _DIFFER if tally.left else 0


def _type(text: str) -> int:
    word = text.strip().upper()
    number = word.removeprefix("TYPE")
    if word in TYPES:
        return TYPES[word]
    if number != word and number.isascii() and number.isdigit() and int(number) < 1 << 16:
        return int(number)
    raise SettingsError(f'found the type "{text.strip()}", expected one such as A, SRV or TYPE65')


def _named(path: str) -> Iterator[Question]:
    """The questions of a file: a name a line, types behind it, else A and AAAA."""
    try:
        with open(0 if path == _STDIN else path, encoding="utf-8", closefd=path != _STDIN) as given:
            lines = given.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise SettingsError(f"--names {path}: {why}, expected a name a line") from error
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            name, rtypes = from_text(words[0]), [_type(word) for word in words[1:]] or ADDRESSES
        except (NameTextError, SettingsError) as error:
            raise SettingsError(f"{path}:{number}: {error}") from error
        yield from (Question(name, rtype) for rtype in rtypes)


def _used(conf: str | None) -> Sequence[str]:
    """The directives whose known differences count."""
    if conf is None:
        return _USED
    disk = Disk()
    corefile = parse(disk.read(conf), conf, disk, os.environ)
    return tuple({line.name.text for block in corefile.blocks for line in block.directives})


def _reason(error: BaseException) -> str:
    """What went wrong, with the file's name where there is one."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


__all__ = ["diff"]
