"""What programs are told about resolving: the texts of a private resolv.conf and nsswitch.conf.

Pure: texts in, texts out. What a pod's search path is others say.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

# Files before the DNS, and nobody else: nss-resolve and the like ask the machine's own resolver, whatever resolv.conf says.
_HOSTS: Final = "hosts: files dns"


class Path(NamedTuple):
    """How names are looked for, in the order in which it counts."""

    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()  # "ndots:5"


def path_of(text: str) -> Path:
    """That of a resolv.conf."""
    return Path(tuple(_search(text)), tuple(_options(text)))


def resolv_conf(nameservers: Sequence[str], path: Path) -> str:
    """A resolv.conf with these name servers and this search path, each domain once."""
    lines = [f"nameserver {each}" for each in nameservers]
    lines += [f"search {' '.join(dict.fromkeys(path.search))}"] if path.search else []
    lines += [f"options {' '.join(path.options)}"] if path.options else []
    return "".join(f"{line}\n" for line in lines)


def nsswitch_conf(text: str) -> str:
    """The machine's nsswitch.conf, by which names of hosts come from files and the DNS alone."""
    kept = [line for line in text.splitlines() if line.partition("#")[0].partition(":")[0].strip() != "hosts"]
    return "".join(f"{line}\n" for line in (*kept, _HOSTS))


def _search(text: str) -> list[str]:
    """The last line of search or domain counts, as for glibc."""
    found: list[str] = []
    for keyword, *words in _lines(text):
        if keyword == "search":
            found = words
        elif keyword == "domain":
            found = words[:1]
    return [each for each in found if each.rstrip(".")]


def _options(text: str) -> list[str]:
    return [word for keyword, *words in _lines(text) if keyword == "options" for word in words]


def _lines(text: str) -> list[list[str]]:
    lines = [line.partition("#")[0].partition(";")[0].split() for line in text.splitlines()]
    return [words for words in lines if words]
