"""What can be told of a Corefile before anything runs: all problems, what differs from CoreDNS, what it comes to.

Pure: what the machine has to say is asked of what is handed in. A file or an interface that isn't there is a warning, since
it may be where kdns will run; what CoreDNS would do otherwise is information.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from kdns.config import keys, parser, servers, table
from kdns.config.declarations import Settings
from kdns.config.directives.places import Bind
from kdns.config.explain import Block, explained
from kdns.config.imports import Files
from kdns.config.keys import Key
from kdns.config.parser import Corefile
from kdns.config.serving import Servers
from kdns.config.syntax import ERROR, INFO, WARNING, Place, Problem, ServerBlock, Severity, Token
from kdns.config.table import Stated
from kdns.dns import names
from kdns.dns.names import Name

# As kubectl prints a ConfigMap.
_MANIFEST: Final = (b"apiVersion:", b'{\n    "apiVersion":')
_OF_MANIFEST: Final = "the Corefile of a ConfigMap is what kubectl get -o 'jsonpath={.data.Corefile}' prints"


class Machine(NamedTuple):
    """Where a Corefile is checked."""

    files: Files
    environment: Mapping[str, str]
    port: int  # of keys that name none
    trouble: Callable[[str], str]  # why a file can't be read, empty if it can
    addresses_of: Callable[[str], Sequence[str]]  # of an interface; none where there is no such
    is_done: Callable[[Settings], bool]  # whether this version does what a directive says


class Checked(NamedTuple):
    """All problems, in no order, the server blocks as far as they could be read, and the texts of all files."""

    problems: tuple[Problem, ...]
    blocks: tuple[Block, ...]
    texts: Mapping[str, str]


def check(octets: bytes, file: str, machine: Machine) -> Checked:
    """What is to be said of the Corefile that the octets are."""
    if octets.startswith(_MANIFEST):
        return Checked((Problem(Place(file, 1, 1), "found a manifest, expected a Corefile", _OF_MANIFEST),), (), {})
    corefile = parser.parse(octets, file, machine.files, machine.environment)
    # An interface that isn't here stands for its addresses where kdns will run.
    place = servers.Place(machine.port, lambda interface: machine.addresses_of(interface) or (interface,))
    found = servers.read(corefile.blocks, place)
    problems = [*corefile.problems, *found.problems, *_nothing(corefile, file)]
    labels = _labels(found.servers)
    blocks: list[Block] = []
    for number, block in enumerate(corefile.blocks):
        stated, _ = table.stated(block.directives, found.servers.blocks[number].zones)
        problems += _of_block(block, stated, machine)
        zones = found.servers.blocks[number].zones
        blocks.append(_block(block, zones, labels.get(number, ()), stated, machine.port))
    texts = {source.path: source.text for source in corefile.sources}
    return Checked(tuple(dict.fromkeys(problems)), tuple(blocks), texts)


def _nothing(corefile: Corefile, file: str) -> Iterator[Problem]:
    if not corefile.blocks and not corefile.problems:
        message = "found no server block: every question is logged, and answered with who asked it"
        yield Problem(Place(file, 1, 1), message, "write one such as .:53 { ... }", WARNING)


def _of_block(block: ServerBlock, stated: Sequence[Stated], machine: Machine) -> Iterator[Problem]:
    if not block.directives:
        yield _problem(block.keys[0], "found a server block without directives: its questions are refused", WARNING)
    for each in stated:
        if each.outcome.settings is not None and not machine.is_done(each.outcome.settings):
            message = f"{each.directive.name} is read and not done by this version: it isn't served"
            yield _problem(each.line.name, message, ERROR)
        yield from _files(each, machine)
        yield from _interfaces(each, machine)
        for token, sentence in _differences(each):
            yield _problem(token, f"{each.directive.name} differs: {sentence}", INFO)


def _differences(stated: Stated) -> Iterator[tuple[Token, str]]:
    """What differs from CoreDNS, each with the word that it is about: an option's, where that alone differs."""
    line = stated.line
    words = [*line.tokens[1:], *(token for option in line.block or () for token in option.tokens)]
    for each in stated.directive.differences:
        if isinstance(each, str):
            yield line.name, each
        elif (found := next((word for word in words if each.is_in((word.text,))), None)) is not None:
            yield found, each.sentence


def _files(stated: Stated, machine: Machine) -> Iterator[Problem]:
    for path, token in stated.outcome.files:
        if why := machine.trouble(path):
            yield _problem(token, f'can\'t read "{path}" here: {why}', WARNING)


def _interfaces(stated: Stated, machine: Machine) -> Iterator[Problem]:
    settings = stated.outcome.settings
    if isinstance(settings, Bind):
        missing = {each.name for each in (*settings.to, *settings.exceptions) if each.is_interface}
        missing = {name for name in missing if not machine.addresses_of(name)}
        for token in (token for rows in stated.outcome.given.values() for row in rows for token in row):
            if token.text in missing:
                yield _problem(token, f'found no interface "{token.text}" here', WARNING)


def _problem(token: Token, message: str, severity: Severity) -> Problem:
    return Problem(token.place, message, "", severity, token.width)


def _labels(found: Servers) -> dict[int, tuple[str, ...]]:
    """The labels of each block's listeners, by its number."""
    labels: dict[int, dict[str, None]] = {}
    for listener in found.listeners:
        for route in listener.routes:
            labels.setdefault(route.block, {})[listener.label] = None
    return {block: tuple(each) for block, each in labels.items()}


def _block(
    block: ServerBlock, zones: tuple[Name, ...], listeners: tuple[str, ...], stated: Sequence[Stated], port: int
) -> Block:
    return Block(
        block.keys[0].place,
        tuple(text for token in block.keys for text in _keys(token, port)),
        zones,
        listeners,
        tuple(explained(each, settings) for each in stated if (settings := each.outcome.settings) is not None),
    )


def _keys(token: Token, port: int) -> Iterator[str]:
    """The key with all that it leaves out, once for each of its zones; as it stands where it is wrong."""
    key = keys.parse(token)
    if not isinstance(key, Key):
        yield token.text
        return
    scheme = "" if key.scheme == "dns" else f"{key.scheme}://"
    for zone in key.zones:
        yield f"{scheme}{_zone(zone)}:{port if key.port is None else key.port}"


def _zone(zone: Name) -> str:
    return names.to_text(zone).removesuffix(".") or "."


__all__ = ["Checked", "Machine", "check"]
