"""What stands between a cluster and its change from CoreDNS to kdns."""
