"""The words and bytes of DNS. Knows nothing of Kubernetes, does no IO, imports nothing of kdns."""
