"""Two servers asked the same: what differs between their replies, and which of it is meant to."""
