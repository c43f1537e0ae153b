"""How a command is declared: click's way, with its exit statuses and examples, which help and man page tell alike.

What is said of an option that several commands have stands here once.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias, TypeVar

import click

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
Statuses: TypeAlias = Mapping[str, str]  # what each exit status means; several as in "126, 127"

PLUGIN: Final = "kubectl kdns"  # what is typed where kdns is kubectl's plugin
TEXT: Final = "text"
FORMATS: Final = (TEXT, "json", "yaml")
ADDRESS: Final = "ADDR:PORT"
PORT: Final = click.IntRange(0, 65535)
FILE: Final = click.Path()  # whether it is there is for those to say who read it


class _Folder(click.Path):
    """A path that shells complete by folders. What is there is for those to say who use it: none keeps kdns from serving."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """As it is."""
        del param, ctx
        return value


FOLDER: Final = _Folder(file_okay=False)


class Command(click.Command):
    """A command with its exit statuses and examples."""

    def __init__(self, *args: Any, statuses: Statuses, examples: Sequence[str] = (), **more: Any) -> None:
        super().__init__(*args, **more)
        self.statuses: Final = statuses
        self.examples: Final = tuple(examples)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Behind the options."""
        with formatter.section("Exit status"):
            formatter.write_dl(list(self.statuses.items()))
        if self.examples:
            with formatter.section("Examples"):
                for each in self.examples:
                    formatter.write(f"{'':{formatter.current_indent}}{each}\n")
        super().format_epilog(ctx, formatter)


def is_plugin() -> bool:
    """Whether kubectl has called the command that runs now."""
    return click.get_current_context().find_root().info_name == PLUGIN


def output(command: Decorated) -> Decorated:
    """The option of all commands with a result: for people or for programs."""
    return click.option("-o", "--output", type=click.Choice(FORMATS), default=TEXT, help=f"How it is told.  [{TEXT}]")(
        command
    )


def _contexts(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    from kdns.cli import suggestions  # noqa: PLC0415 - seldom asked for

    return [each for each in suggestions.contexts(context.params.get("kubeconfig")) if each.startswith(incomplete)]


def kubeconfig(said: str) -> Callable[[Decorated], Decorated]:
    """The options for a cluster; the sentence is of the first."""

    def decorated(command: Decorated) -> Decorated:
        command = click.option(
            "--context", metavar="NAME", shell_complete=_contexts, help="Its context, if not the current one."
        )(command)
        return click.option("--kubeconfig", metavar="FILE", type=FILE, help=said)(command)

    return decorated


def manifests(*names: str, said: str) -> Callable[[Decorated], Decorated]:
    """The option for YAML."""
    return click.option(
        *names,
        "--manifests",
        metavar="PATH",
        type=FILE,
        multiple=True,
        help=f"{said}: a file, a folder or - (repeatable).",
    )
