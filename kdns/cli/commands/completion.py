"""The command completion."""

import click

from kdns.cli.declaring import Command


@click.command(
    cls=Command,
    statuses={"0": "it was told", "2": "wrong flags"},
    examples=(
        "source <(kdns completion bash)",
        "source <(kdns completion zsh)",
        "kdns completion fish > ~/.config/fish/completions/kdns.fish",
    ),
)
@click.argument("shell", metavar="SHELL", type=click.Choice(("bash", "zsh", "fish")))
def completion(shell: str) -> int:
    """Print what has a shell complete the command line.

    SHELL is bash, zsh or fish. In .bashrc or .zshrc it takes effect with each new shell. As a plugin of kubectl, kdns is completed by kubectl's own
    completion.
    """
    from kdns.cli.completion import completion

    return completion(shell)
