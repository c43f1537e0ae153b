"""The command diff: two servers, all names of a cluster, and in what their replies differ.

Status 0 where they differ in nothing but what is meant to be, 1 where there is more, 2 where one of them, or the cluster, can't
be asked. What asks is imported last, so that help is quick.
"""

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from kdns.diff.question import Question

_DIFFER: Final = 1
_NOT_ASKED: Final = 2
_STDIN: Final = "-"
_BAR: Final = 40  # characters
_ADDRESS: Final = "ADDR[:PORT]"
# Of kubeadm's Corefile those whose known differences replies show.
_USED: Final = ("cache", "kubernetes")


@click.command(no_args_is_help=False)
@click.option("--against", metavar=_ADDRESS, required=True, help="The server to compare with, such as CoreDNS.")
@click.option("--server", metavar=_ADDRESS, default="127.0.0.1:53", help="The kdns to compare.  [127.0.0.1:53]")
@click.option("--kubeconfig", metavar="FILE", help="Ask for the names of this cluster.  [that of kubectl]")
@click.option("--context", metavar="NAME", help="Its context, if not the current one.")
@click.option("--manifests", metavar="PATH", multiple=True, help="Ask for the names of YAML instead (repeatable).")
@click.option("--zone", metavar="ZONE", default="cluster.local", help="The cluster's zone.  [cluster.local]")
@click.option("--names", metavar="FILE", help="Ask for these names, too: NAME [TYPE...] a line; - for standard input.")
@click.option("--types", metavar="TYPE,...", help="Ask for these types alone.")
@click.option("--limit", metavar="N", type=click.IntRange(1), help="Ask N questions at most, from all over.")
@click.option("--rate", metavar="N", type=click.IntRange(1, 100_000), default=1000, help="Questions a second.  [1000]")
@click.option(
    "-conf", "--conf", metavar="FILE", help="The Corefile of both: known differences of its directives count."
)
@click.option("-o", "output", type=click.Choice(("text", "json")), default="text", help="How it is told.  [text]")
def diff(output: str, **given: Any) -> int:
    """Compare the replies of two servers, name by name.

    Both are asked for all names of the cluster over UDP, and by TCP for what is truncated. Status 0: they differ as
    intended at the most, 1: otherwise, 2: they can't be asked.
    """
    from kdns.config.settings import SettingsError  # noqa: PLC0415 - help is quicker without
    from kdns.dns.foreign import ForeignError  # noqa: PLC0415
    from kdns.dns.names import NameTextError  # noqa: PLC0415
    from kdns.sources.errors import SourceError  # noqa: PLC0415

    try:
        return _diff(output, **given)
    except (SettingsError, NameTextError) as error:
        raise click.UsageError(str(error)) from error
    except (SourceError, ForeignError, OSError) as error:
        sys.stderr.write(f"kdns: {_reason(error)}\n")
        return _NOT_ASKED


def _diff(
    output: str,
    *,
    against: str,
    server: str,
    kubeconfig: str | None,
    context: str | None,
    manifests: tuple[str, ...],
    zone: str,
    names: str | None,
    types: str | None,
    limit: int | None,
    rate: int,
    conf: str | None,
) -> int:
    from kdns.cli import listed  # noqa: PLC0415
    from kdns.config.flags import address  # noqa: PLC0415
    from kdns.diff import intended, naming, report  # noqa: PLC0415
    from kdns.diff.survey import Manner, Scope, Servers, ages, check, survey  # noqa: PLC0415
    from kdns.dns.names import fold, from_text  # noqa: PLC0415

    servers = Servers(address(against, "--against", 53), address(server, "--server", 53))
    origin, rtypes = fold(from_text(zone)), frozenset(map(_type, types.split(",") if types else ()))
    wanted = [*_named(names)] if names else []
    source = listed.source_of(kubeconfig, context, manifests)
    manner = Manner(rate=float(rate))
    table = (*intended.table((zone,), used=_used(conf)), ages((origin, *intended.REVERSE)))
    for each in servers:
        check(each, origin, manner.timeout_s)
    found = listed.read(source, origin)
    questions = [*naming.questions(found.sets, origin), *found.questions(), *wanted]
    bar = _Bar()
    tally = survey(servers, questions, table, Scope((origin,), rtypes, limit or 0), manner, bar.show)
    bar.close()
    told = (str(each) for each in (address(against, "", 53), address(server, "", 53)))
    sys.stdout.write((report.as_json if output == "json" else report.as_text)(tally, table, *told))
    return _DIFFER if tally.left else 0


def _type(text: str) -> int:
    from kdns.config.mnemonics import TYPES  # noqa: PLC0415
    from kdns.config.settings import SettingsError  # noqa: PLC0415

    word = text.strip().upper()
    number = word.removeprefix("TYPE")
    if word in TYPES:
        return TYPES[word]
    if number != word and number.isascii() and number.isdigit() and int(number) < 1 << 16:
        return int(number)
    raise SettingsError(f'found the type "{text.strip()}", expected one such as A, SRV or TYPE65')


def _named(path: str) -> Iterator["Question"]:
    """The questions of a file: a name a line, types behind it, else A and AAAA."""
    from kdns.config.settings import SettingsError  # noqa: PLC0415
    from kdns.diff.naming import ADDRESSES  # noqa: PLC0415
    from kdns.diff.question import Question  # noqa: PLC0415
    from kdns.dns.names import NameTextError, from_text  # noqa: PLC0415

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
    import os  # noqa: PLC0415

    from kdns.config.disk import Disk  # noqa: PLC0415
    from kdns.config.parser import parse  # noqa: PLC0415

    disk = Disk()
    corefile = parse(disk.read(conf), conf, disk, os.environ)
    return tuple({line.name.text for block in corefile.blocks for line in block.directives})


def _reason(error: BaseException) -> str:
    """What went wrong, with the file's name where there is one."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


class _Bar:
    """How far it is, on a terminal; nothing elsewhere."""

    def __init__(self) -> None:
        self._shows = sys.stderr.isatty()
        self._last = ""

    def show(self, done: int, of: int) -> None:
        """Draws it anew where it looks otherwise than before."""
        if not self._shows:
            return
        full = _BAR * done // of
        text = f"[{'#' * full}{'.' * (_BAR - full)}] {100 * done // of:3} % of {of} questions"
        if text != self._last:
            sys.stderr.write(f"\r{text}")
            sys.stderr.flush()
            self._last = text

    def close(self) -> None:
        """Takes it away."""
        if self._last:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


__all__ = ["diff"]
