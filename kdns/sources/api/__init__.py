"""The API server as a source: lists and watches, kept alive and turned into deltas.

source has a reflector for each resource, and hands that do what it says over connections of their own; account says with
which credentials, for a kubeconfig by way of login, which runs in a process of its own; official is
the one importer of the client library; tunnel leads to a pod's port; kubeconfig checks the file that is given to it.
"""

from kdns.sources.api.source import ApiSource

__all__ = ["ApiSource"]
