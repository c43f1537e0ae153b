"""Sockets and processes: from a datagram to its reply, and the processes that do it."""
