"""What a developer's machine needs so that programs on it ask kdns; nothing of it is needed in a cluster."""
