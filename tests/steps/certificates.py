"""Certificates for tests: an authority and what it has signed, made with openssl in a folder."""

import subprocess
from pathlib import Path
from typing import NamedTuple


class Pair(NamedTuple):
    """A certificate and its key."""

    certificate: Path
    key: Path


class Made(NamedTuple):
    """Those of upstreams and their clients; all but the stranger are the authority's."""

    authority: Pair
    stranger: Pair  # another authority
    named: Pair  # dns.example
    addressed: Pair  # 127.0.0.1
    expired: Pair
    client: Pair


def made_in(folder: Path) -> Made:
    """One of each."""
    one = authority(folder)
    return Made(
        one,
        authority(folder, "stranger"),
        signed(folder, one, "DNS:dns.example"),
        signed(folder, one, "IP:127.0.0.1"),
        signed(folder, one, "DNS:old.example", days=-1),
        signed(folder, one, "DNS:client.example"),
    )


def authority(folder: Path, name: str = "authority") -> Pair:
    """One that signs others."""
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    _openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"),
        *("-subj", f"/CN={name}", "-keyout", str(pair.key), "-out", str(pair.certificate)),
    )
    return pair


def signed(folder: Path, by: Pair, alternatives: str, days: int = 2) -> Pair:
    """One for names (DNS:dns.example) and addresses (IP:127.0.0.1), separated by commas."""
    name = alternatives.replace(":", "-").replace(",", "-")
    pair, request = Pair(folder / f"{name}.pem", folder / f"{name}.key"), folder / f"{name}.csr"
    _openssl(
        *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=test"),
        *("-keyout", str(pair.key), "-out", str(request)),
    )
    extensions = folder / f"{name}.ext"
    extensions.write_text(f"subjectAltName={alternatives}\n")
    _openssl(
        *("x509", "-req", "-in", str(request), "-CA", str(by.certificate), "-CAkey", str(by.key), "-CAcreateserial"),
        *("-days", str(days), "-extfile", str(extensions), "-out", str(pair.certificate)),
    )
    return pair


def _openssl(*arguments: str) -> None:
    subprocess.run(("openssl", *arguments), check=True, capture_output=True)
