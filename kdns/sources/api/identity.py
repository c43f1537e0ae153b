"""Identity: which cluster an account is for, as far as that can be known without asking anybody.

The API server's URL alone says little in a pod, where most clusters have the same; so a digest of the authorities that
its certificate has to come from stands beside it.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from kdns.config.settings import ClusterSource
from kdns.sources.api.account import url_of
from kdns.sources.credentials import InPod, is_pem
from kdns.sources.errors import SourceError


def identity_of(settings: ClusterSource, environment: Mapping[str, str]) -> str:
    """One line for each cluster. Raises SourceError, as account_of."""
    server, authorities = _place(settings, environment)
    try:
        text = authorities if is_pem(authorities) or not authorities else Path(authorities).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{authorities}: {error}, expected certificates in PEM") from error
    return f"{server} ({hashlib.blake2b(text.strip().encode(), digest_size=8).hexdigest()})"


def _place(settings: ClusterSource, environment: Mapping[str, str]) -> tuple[str, str]:
    """The server's URL, and its authorities: PEM, the file that has it, or empty for the system's."""
    if settings.kubeconfig is None and settings.context is None:
        if settings.endpoint is not None:
            return url_of(settings.endpoint), settings.endpoint.authorities
        pod = InPod(environment)
        return pod.server, pod.authorities
    # Imported here, as in account_of.
    from kdns.sources.api.kubeconfig import cluster_of, locate  # noqa: PLC0415

    return cluster_of(locate(settings.kubeconfig, environment), settings.context)
