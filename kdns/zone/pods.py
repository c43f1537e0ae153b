"""Pod names: an address in dashes, below N.pod.

What makes such a name exist depends on the mode: the namespace alone (insecure), a pod with
that address in it (verified), or nothing (disabled). So each mode is the owner whose entry
must be there. Every spelling of an address is its name, since owners are made of addresses.
Source: the conventions of kube-dns that CoreDNS kept; no specification.
"""

from collections.abc import Callable, Container
from typing import Final

from kdns.dns import records, types
from kdns.dns.names import Name
from kdns.dns.records import Answer, RecordSet
from kdns.zone import dashed
from kdns.zone.entry import STATIC, Owner, namespace_owner_of, pod_owner_of
from kdns.zone.terms import ADDRESS_TYPES, NODATA, POD, Asked, address_set

DISABLED: Final = "disabled"

_WITNESS: Final[dict[str, Callable[[bytes, bytes], Owner]]] = {
    "insecure": lambda namespace, _address: namespace_owner_of(namespace),
    "verified": pod_owner_of,
}


def at_pod(entries: Container[Owner], mode: str, asked: Asked) -> tuple[Answer | None, Owner]:
    """IP-IN-DASHES.N.pod in any mode but disabled: the address itself; SRV names the name without a port, as CoreDNS."""
    label, namespace, _ = asked.labels
    address = dashed.parse(label[1:])
    if address is None:
        return None, STATIC
    owner = _WITNESS[mode](namespace, address)
    if owner not in entries:
        return None, owner
    if asked.qtype == ADDRESS_TYPES[len(address)]:
        return Answer(0, (address_set(asked.qname, asked.ttl, len(address), address),)), owner
    if asked.qtype == types.SRV:
        target = Name(label + namespace + POD + asked.origin)
        record = RecordSet(asked.qname, types.SRV, asked.ttl, (records.srv(0, 100, 0, target),))
        return Answer(0, (record,), (), (address_set(target, asked.ttl, len(address), address),)), owner
    return NODATA, owner
