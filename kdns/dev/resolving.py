"""What programs are told about resolving: the texts of a private resolv.conf and nsswitch.conf.

Pure: texts in, texts out. A search path is that of a pod with dnsPolicy ClusterFirst: the namespace's own domains, then the
machine's, and ndots:5 (Kubernetes, "DNS for Services and Pods"). Without a namespace the machine's stays as it is.
"""

from typing import Final

POD_NDOTS: Final = 5
# Files before the DNS, and nobody else: nss-resolve and the like ask the machine's own resolver, whatever resolv.conf says.
_HOSTS: Final = "hosts: files dns"


def resolv_conf(text: str, nameserver: str, *, zone: str, namespace: str | None) -> str:
    """The machine's resolv.conf with another name server, and the search path of a pod in the namespace."""
    search, options = _search(text), _options(text)
    if namespace is not None:
        search = [f"{namespace}.svc.{zone}", f"svc.{zone}", zone, *search]
        options = [each for each in options if not each.startswith("ndots:")] + [f"ndots:{POD_NDOTS}"]
    lines = [f"nameserver {nameserver}"]
    lines += [f"search {' '.join(dict.fromkeys(search))}"] if search else []
    lines += [f"options {' '.join(options)}"] if options else []
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
