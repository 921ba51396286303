"""The command line: one file a command, each imported when it is needed.

A command raises :class:`logexport.errors.LogexportError`; :func:`main` turns it into two sentences
on standard error and the exit status. Plugins add commands through ``register_commands``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from logexport.runtime import silenced

if TYPE_CHECKING:
    from logexport.errors import LogexportError

COMMANDS = {
    "run": "logexport.cli.run:run",
    "heads": "logexport.cli.heads:heads",
    "parse": "logexport.cli.parse:parse",
    "templates": "logexport.cli.templates:templates",
    "fix-vocab": "logexport.cli.fix_vocab:fix_vocab",
    "detect": "logexport.cli.detect:detect",
    "inspect": "logexport.cli.inspect:inspect",
    "verify": "logexport.cli.verify:verify",
    "doctor": "logexport.cli.doctor:doctor",
    "plugins": "logexport.cli.plugins:plugins",
}
"""The host's commands, in the order of ``--help``. Plugins cannot take these names."""

SUMMARIES = {
    "run": "Export trained models to a bundle, prove it, and publish it.",
    "heads": "Show the heads that the lines of a log have.",
    "parse": "Turn raw logs (compressed too) into masked lines and templates.",
    "templates": "Show the templates of a parsed log, with shares and examples.",
    "fix-vocab": "Turn an id-keyed vocabulary into a template-keyed one.",
    "detect": "Read a log and print a verdict a line.",
    "inspect": "Show what a bundle is: models, tasks, proof and checks.",
    "verify": "Check a bundle's files, graphs and self-test.",
    "doctor": "Show versions, and which export strategies are usable.",
    "plugins": "Show the installed plugins, make a new one, check one.",
}
"""What ``logexport --help`` says of each; to ask the commands themselves would import them all."""


class _Group(click.Group):
    """Finds the host's commands by name, and the plugins' through their hook."""

    _with_plugins = False

    def _load_plugins(self) -> None:
        if not self._with_plugins:
            self._with_plugins = True
            from logexport.cli.common import installed_plugins, report_broken_plugins

            host = installed_plugins()
            host.register_commands(self, reserved=COMMANDS)
            report_broken_plugins(host)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        with _output_told_apart():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        with _output_told_apart():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        self._load_plugins()
        return [*COMMANDS, *sorted(self.commands)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            module, _, attribute = COMMANDS[cmd_name].partition(":")
            command: click.Command = getattr(import_module(module), attribute)
            return command
        self._load_plugins()
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        names = self.list_commands(ctx)
        limit = formatter.width - 6 - max(map(len, names))
        rows = list(SUMMARIES.items())
        rows += [
            (name, self.commands[name].get_short_help_str(limit))
            for name in names
            if name not in SUMMARIES and not self.commands[name].hidden
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="logexport", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show tracebacks and the exporters' own warnings.")
@click.pass_context
def cli(ctx: click.Context, debug: bool) -> None:
    """Export log-anomaly models from PyTorch to bundles that a C program runs on raw logs."""
    ctx.ensure_object(dict)["debug"] = debug


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else text + "."


def _emit(error: LogexportError) -> None:
    from logexport.cli.common import emit_json, error_json

    emit_json(error_json(error))


class _NoOutputError(Exception):
    """Standard output cannot be written; no OSError, as click would end with 1 on a closed pipe."""


@contextmanager
def _output_told_apart() -> Iterator[None]:
    """Tell the OSError of a write to standard output from every other."""
    try:
        yield
    except OSError as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        by_echo = trace is not None and trace.tb_frame.f_code is click.echo.__code__
        if by_echo or isinstance(error, BrokenPipeError):
            raise _NoOutputError from error
        raise


@silenced()  # whatever a plugin imports, and whatever process it starts
def main(args: Sequence[str] | None = None) -> int:
    """Run the command line; its exit status: 0 done, 1 a check or plugin failed, 2 bad input."""
    _open_closed_streams()
    try:
        with _output_told_apart():
            return _main(list(sys.argv[1:] if args is None else args), is_program=args is None)
    except _NoOutputError as error:
        from logexport.cli.common import abandon_output

        abandon_output()
        if isinstance(error.__cause__, BrokenPipeError):
            return 0  # the reader has had enough
        reason = getattr(error.__cause__, "strerror", None) or error.__cause__
        click.echo(f"Error: standard output cannot be written: {reason}.", err=True)
        click.echo("Free space there or send the output elsewhere.", err=True)
        return 2


def _open_closed_streams() -> None:
    """Put something into each standard descriptor that is closed, lest a file be opened there.

    It is /dev/null opened the wrong way round, so that its use is an error (as GNU's stdopen).
    """
    wrong_way = {"stdin": os.O_WRONLY, "stdout": os.O_RDONLY, "stderr": os.O_WRONLY}
    for name, flags in wrong_way.items():
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, flags)
            os.set_inheritable(descriptor, True)
            setattr(sys, name, os.fdopen(descriptor, "r" if name == "stdin" else "w"))


def _main(arguments: list[str], *, is_program: bool) -> int:
    from logexport.errors import LogexportError, UsageError

    debug = "--debug" in arguments
    if debug:  # accepted before and after the command's name
        arguments = ["--debug", *(a for a in arguments if a != "--debug")]
    try:
        status: Any = cli.main(
            arguments,
            prog_name="logexport",
            standalone_mode=False,
            obj={"is_program": is_program},  # the process is the command's own
        )
        return status if isinstance(status, int) else 0
    except click.ClickException as error:
        error.show()
        if "--json" in arguments:
            _emit(UsageError(error.format_message()))
        return error.exit_code
    except click.Abort:
        click.echo("Aborted.", err=True)
        return 130
    except ModuleNotFoundError as error:
        if debug or (error.name or "logexport").startswith("logexport"):
            raise
        missing = UsageError(
            f"the package {error.name} is not installed, which this command needs",
            "Install logexport with all it needs (pip install logexport); `logexport doctor` shows"
            " what is there.",
        )
        return _failed(missing, arguments)
    except LogexportError as error:
        if debug:
            import traceback

            traceback.print_exc()
        return _failed(error, arguments)


def _failed(error: LogexportError, arguments: Sequence[str]) -> int:
    """Say an error in two sentences, and as JSON where that is asked for; the exit status."""
    click.echo(f"Error: {_sentence(str(error))}", err=True)
    if error.remedy:
        click.echo(error.remedy, err=True)
    if "--json" in arguments:
        _emit(error)
    return error.exit_status
