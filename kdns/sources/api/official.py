"""The official client library: the one importer of kubernetes, and what of it is used.

It has no types. What connects by websockets is imported where it is called: who only logs in needn't wait for it.
"""

from typing import Any, Final

from kubernetes.client import Configuration
from kubernetes.config import ConfigException, exec_provider, kube_config

ExecProvider: Final[Any] = exec_provider.ExecProvider
KubeConfigLoader: Final[Any] = kube_config.KubeConfigLoader
KubeConfigMerger: Final[Any] = kube_config.KubeConfigMerger


def websocket(configuration: Any, url: str, authorization: str) -> Any:
    """A websocket of websocket-client to the API server, for streams in channels. Raises what that raises."""
    from kubernetes.stream import ws_client  # noqa: PLC0415 - as said above

    library: Any = ws_client
    headers = {"authorization": authorization} if authorization else {}
    return library.create_websocket(configuration, library.get_websocket_url(url), headers)


def frame(octets: bytes) -> bytes:
    """A message of a websocket as it is sent, masked."""
    from kubernetes.stream import ws_client  # noqa: PLC0415 - as said above

    library: Any = ws_client
    return bytes(library.ABNF.create_frame(octets, library.ABNF.OPCODE_BINARY).format())


__all__ = [
    "ConfigException",
    "Configuration",
    "ExecProvider",
    "KubeConfigLoader",
    "KubeConfigMerger",
    "frame",
    "websocket",
]
