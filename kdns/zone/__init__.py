"""The Kubernetes DNS specification: what a name denotes and which records it has. Pure; imports only kdns.dns."""
