"""What the operator asked for, as frozen settings."""
