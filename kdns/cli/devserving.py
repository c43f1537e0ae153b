"""What kdns dev serves: the settings that its flags lead to.

Names of Services that run on the machine itself come before the cluster's, and names are completed for clients without a
search list.
"""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address
from typing import Final, NamedTuple

from kdns.cli.surroundings import surroundings
from kdns.config import declarations, flags
from kdns.config.defaults import TTL_S, ZONE
from kdns.config.directives.hosts import Host, Hosts
from kdns.config.directives.log import Log
from kdns.config.directives.searchpath import Searchpath
from kdns.config.directives.view import Metadata
from kdns.config.flags import Flags
from kdns.config.forwarding import Forwarding
from kdns.config.kinds import FilePath
from kdns.config.serving import Probes, Serving
from kdns.config.settings import SettingsError
from kdns.dev import questions
from kdns.dns import names
from kdns.dns.names import Name, NameTextError

_NO_FILE: Final = FilePath(os.devnull)


class Clients(NamedTuple):
    """How names are completed for clients without a search list: as by a pod of the namespace, or by a pod's own path."""

    namespace: str = ""
    search: tuple[str, ...] = ()
    ndots: int = 1


def serving(wanted: Flags, mapped: Sequence[str], forwarder: int | None = None) -> Serving:
    """What is served by the flags: Services as --map has them, others by the forwarder at a descriptor, if there is one.

    Raises SettingsError.
    """
    settings, warnings = flags.serving(wanted, surroundings())
    for warning in warnings:
        sys.stderr.write(f"kdns: warning: {warning}\n")
    settings = replace(settings, probes=Probes(), attended=True)  # nobody looks in from outside
    if forwarder is not None:
        settings = with_settings(settings, Forwarding(descriptor=forwarder))
    zone = ZONE if wanted.zone is None else wanted.zone
    hosts = tuple(_host(each, zone) for each in mapped)
    return with_settings(settings, _mapped(hosts)) if hosts else settings


def completing(settings: Serving, clients: Clients) -> Serving:
    """The settings, by which names are completed in these clients' place."""
    if clients.namespace:
        return with_settings(settings, Searchpath(zones=(names.ROOT,), short=(clients.namespace,), no_completion=True))
    domains = tuple(_domains(clients.search))
    if not domains:
        return settings
    return with_settings(
        settings, Searchpath(zones=(names.ROOT,), list=domains, ndots=clients.ndots, no_completion=True)
    )


def told_of(settings: Serving) -> Serving:
    """The settings, by which of each question a line is written that dev.questions reads."""
    return with_settings(with_settings(settings, Metadata(zones=(names.ROOT,))), Log(format=questions.FORMAT))


def with_settings(settings: Serving, more: declarations.Settings) -> Serving:
    """The settings, with those of a directive before all others."""
    blocks = tuple(block._replace(settings=(more, *block.settings)) for block in settings.servers.blocks)
    return replace(settings, servers=settings.servers._replace(blocks=blocks))


def _domains(texts: Sequence[str]) -> list[Name]:
    found = []
    for text in texts:
        try:
            found.append(names.fold(names.from_text(text)))
        except NameTextError as error:
            sys.stderr.write(f"kdns: warning: the search list's {text!r} was left out: {error}\n")
    return [each for each in found if each != names.ROOT]


def _mapped(hosts: tuple[Host, ...]) -> Hosts:
    return Hosts(
        file=_NO_FILE,
        zones=(names.ROOT,),
        inline=hosts,
        ttl_s=TTL_S,
        no_reverse=True,
        reload_s=0.0,
        fallthrough=(names.ROOT,),
        fallthrough_unsupported=True,  # a mapped Service keeps its ports
    )


def _host(text: str, zone: str) -> Host:
    """A Service and its address as --map has them. Raises SettingsError."""
    service, _, address = text.partition("=")
    if [bool(label) for label in service.split(".")] == [True, True]:
        with suppress(ValueError):
            return Host(str(ip_address(address)), (names.fold(names.from_text(f"{service}.svc.{zone}")),))
    raise SettingsError(f"--map {text}: expected SERVICE.NAMESPACE=ADDRESS, as in web.shop=127.0.0.1")
