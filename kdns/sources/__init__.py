"""The IO that feeds the cluster's state: the API server, YAML manifests, the snapshot on disk."""
