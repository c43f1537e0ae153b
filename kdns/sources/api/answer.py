"""What a kubeconfig comes to: the one value that both ways of reading it give."""

import msgspec


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What login found; certificates and keys as PEM text or file, empty for none."""

    error: str = ""  # if there is one, nothing else counts
    server: str = ""
    authorization: str = ""
    token_file: str = ""
    ca: str = ""
    certificate: str = ""
    key: str = ""
    server_name: str = ""
    insecure: bool = False
    lifetime_s: float | None = None  # None where nobody knows
