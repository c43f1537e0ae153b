"""Measurements of kdns, each a table with the command, the versions and the machine that made it."""
