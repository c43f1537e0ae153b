"""The arguments of `kdns`: which command they name, and what is said of wrong ones.

Wrong arguments are one line on standard error and status 2; what goes wrong later is one
line and status 1. Arguments as CoreDNS takes them are understood: flags with one dash,
values behind =, those of switches, too (Go's package flag), and no command at all where flags alone say what to serve.
A command is imported when it is called: help of one costs nothing of the others.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Final, cast

import click

from kdns import __version__

# Each is declared in a module of its name, and begins its help with this sentence.
COMMANDS: Final[Mapping[str, str]] = {
    "serve": "Answer the cluster's names.",
    "dev": "Answer a cluster's names on your own machine.",
    "doctor": "Say what of kdns dev works on this machine.",
    "check": "Find what is wrong with a Corefile.",
    "explain": "Tell why a name is answered as it is.",
    "plugins": "List the directives of a Corefile, or the options of one.",
    "migrate": "Tell what goes on under kdns, and what to change.",
    "diff": "Compare the replies of two servers, name by name.",
    "completion": "Print what has a shell complete the command line.",
    "version": "Say which kdns this is, and what it runs on.",
}
ENVIRONMENT: Final[Mapping[str, str]] = {
    "KUBECONFIG": "the kubeconfig of commands that look at a cluster, as kubectl has it",
    "NO_COLOR": "if it isn't empty, nothing is coloured",
}
PROGRAM: Final = "kdns"
COMPLETE: Final = "_KDNS_COMPLETE"  # the variable by which a shell's script asks for completions
_COLUMNS, _NARROW, _WIDE = 80, 50, 100

# What the command line itself answers; any other flag in the first place means serve.
_OWN: Final = frozenset(("-h", "--help", "--version"))
_HELP: Final = "help"  # of the command that follows
# What follows is another command's.
_THEIRS: Final = "--"
_PORT: Final = ("-p", "--p")  # click has the first
_SWITCHES: Final = frozenset(f"{dash}{name}" for dash in ("-", "--") for name in ("quiet", "plugins", "version"))
# As Go reads them (strconv.ParseBool).
_BOOLEANS: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("1", "t", "T", "true", "True", "TRUE"), True),
    **dict.fromkeys(("0", "f", "F", "false", "False", "FALSE"), False),
}


class Commands(click.Group):
    """The commands, each imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        return cast("click.Command", getattr(import_module(f"kdns.cli.commands.{cmd_name}"), cmd_name))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, which doesn't say what may have been meant."""
        if args[0] not in COMMANDS and not ctx.resilient_parsing:
            from difflib import get_close_matches  # noqa: PLC0415 - seldom needed

            near = get_close_matches(args[0], COMMANDS, 1)
            hint = f"; did you mean {near[0]}?" if near else f", expected one of {', '.join(COMMANDS)}"
            raise click.UsageError(f'found the command "{args[0]}"{hint}')
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))
        with formatter.section("Environment"):
            formatter.write_dl(list(ENVIRONMENT.items()))
        formatter.write_paragraph()
        formatter.write_text(f"{ctx.command_path} help COMMAND says more of one. Flags alone are those of serve.")


def _width() -> int:
    """Of help, in characters: the terminal's, up to what reads well. As shutil has it, which is slow to import."""
    try:
        columns = int(os.environ.get("COLUMNS", "")) or os.get_terminal_size(sys.stdout.fileno()).columns
    except (ValueError, OSError):
        columns = _COLUMNS
    return max(_NARROW, min(columns, _WIDE) - 2)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "terminal_width": _width()},
    invoke_without_command=True,
)
@click.version_option(__version__, prog_name="kdns", message="%(prog)s %(version)s", help="Say which this is.")
@click.pass_context
def kdns(context: click.Context) -> None:
    """The DNS server inside a Kubernetes cluster."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def run(arguments: Sequence[str], program: str = PROGRAM) -> int:
    """Runs the command that the arguments name; the exit status. The program is what its user has typed before them."""
    try:
        status = kdns.main(_understood(arguments), program, complete_var=COMPLETE, standalone_mode=False)
    except (click.MissingParameter, click.NoSuchOption) as error:
        where = f"; see {error.ctx.command_path} --help" if error.ctx else ""
        return _complain(f"{error.format_message().rstrip('.')}{where}", error.exit_code)
    except click.ClickException as error:
        return _complain(error.format_message(), error.exit_code)
    except click.Abort:
        return 130  # as a shell reports SIGINT
    return status if isinstance(status, int) else 0


def _understood(arguments: Sequence[str]) -> list[str]:
    """The arguments in the form that click reads: a command first, -p so and with its value apart, switches without one; but for another command's."""
    if arguments[:1] == [_HELP]:
        return [*arguments[1:], "--help"]
    command = ["serve"] if arguments and arguments[0].startswith("-") and arguments[0] not in _OWN else []
    ours = arguments.index(_THEIRS) if _THEIRS in arguments else len(arguments)
    return [*command, *(part for each in arguments[:ours] for part in _parts(each)), *arguments[ours:]]


def _parts(argument: str) -> list[str]:
    name, equals, value = argument.partition("=")
    if name in _PORT:
        return [_PORT[0], value] if equals else [_PORT[0]]
    if equals and name in _SWITCHES and value in _BOOLEANS:
        return [name] if _BOOLEANS[value] else []
    return [argument]


def _complain(message: str, status: int) -> int:
    sys.stderr.write(f"kdns: {' '.join(message.split())}\n")
    return status
