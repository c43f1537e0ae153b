"""What each command is called, takes and says of itself: one module each, of the command's name.

Help, completions and man pages are made of these declarations. They import click and kdns.config.defaults alone; what does
the work is imported when it is called, so that help costs nothing of it.
"""
