"""What ``build`` and ``train`` commands of plugins share: their options and their progress.

Every ``--help`` of a plugin imports this module, and nothing heavy with it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from logexport.cli.common import progress, say, try_close_pattern, try_sessions

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from logexport.training.loop import Epoch

__all__ = [
    "FILE",
    "TrainingProgress",
    "build_options",
    "checkpoint_option",
    "describe_training",
    "false_alarms_option",
    "matching_progress",
    "schedule_options",
    "size_options",
    "training_progress",
]

Command = TypeVar("Command", bound=Callable[..., Any])

FILE = click.Path(path_type=Path)
"""The type of an option that names a file: its value is a path, and nothing is looked up."""

checkpoint_option = click.option(
    "-o",
    "--output",
    type=FILE,
    required=True,
    help="Checkpoint: .pth, .pt or .safetensors.",
)
"""``-o``, ``--output``, for the argument ``output``."""


class _Real(click.FloatRange):
    """A range that refuses NaN too, which is beyond no bound."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if number != number:
            self.fail(f"{value} is not a number.", param, ctx)
        return number


false_alarms_option = click.option(
    "--false-alarms",
    type=_Real(0.0, 1.0, min_open=True, max_open=True),
    metavar="RATE",
    help="Share of what is held out, all of it normal, that may be an anomaly."
    "  [default: 0.005 of sessions, 0.001 of lines or windows]",
)
"""``--false-alarms``, for :mod:`logexport.training.budgets`."""


# --- options --------------------------------------------------------------------------------------


def build_options(sessions: bool = False) -> Callable[[Command], Command]:
    """Options of a build: those of :class:`logexport.training.log.TrainingLog` under the names of
    its arguments, and ``-o``, ``--output-dir``.

    Args:
        sessions: whether sessions mean something to the model: also ``--session-by``, and
            ``--idle-lines``, ``--idle-seconds`` and ``--close-pattern``, which are those of
            :class:`logexport.training.sessions.EndOptions`.
    """
    options = [
        click.option(
            "--parsed", type=FILE, required=True, help="parsed.parquet of `logexport parse`."
        ),
        click.option(
            "-o", "--output-dir", type=FILE, required=True, help="Where the three files go."
        ),
        click.option(
            "--vocab",
            type=FILE,
            help="Use this vocabulary instead of one of the log's own templates.",
        ),
        click.option(
            "--preprocess", type=FILE, help="Rules of the log.  [default: beside --parsed]"
        ),
    ]
    if sessions:
        options += [
            click.option(
                "--session-by",
                metavar="none|host|field:NAME|REGEX",
                callback=try_sessions,
                help="How lines form sessions; windows never cross them."
                "  [default: as in the rules]",
            ),
            click.option(
                "--idle-lines",
                type=click.IntRange(1, 10_000_000),
                help="A session ends after so many lines of the log without one of its own."
                "  [default: twice the longest gap within a session of this log]",
            ),
            click.option(
                "--idle-seconds",
                type=click.IntRange(1, 1_000_000_000),
                help="A session ends before a line that is so much later, by the times in the log.",
            ),
            click.option(
                "--close-pattern",
                metavar="REGEX",
                callback=try_close_pattern,
                help="A session ends with a line in which this matches.",
            ),
        ]
    return _all(options)


_SCHEDULE: Mapping[str, tuple[click.ParamType[Any], str]] = {
    "epochs": (click.IntRange(1), "At most."),
    "patience": (
        click.IntRange(1),
        "Epochs without a better held-out loss before training stops.",
    ),
    "holdout": (_Real(0.0, 0.9), "Share of the log that is not trained on."),
    "learning_rate": (_Real(0.0, 10.0, min_open=True), "Adam's."),
    "batch_size": (click.IntRange(1), "Windows in a step."),
    "seed": (click.IntRange(0, 2**63 - 1), "Of the weights and of the order of the windows."),
    "device": (click.STRING, "cpu, cuda, cuda:1, ..."),
    "threads": (
        click.IntRange(1, 1024),
        "On the CPU.  [default: 1, or torch's own number if steps are measured to gain by it]",
    ),
}


def schedule_options(
    settings: type[DataclassInstance], **helps: str
) -> Callable[[Command], Command]:
    """Options of a training's schedule, under the names of its fields.

    ``--epochs``, ``--patience``, ``--holdout``, ``--learning-rate``, ``--batch-size``, ``--seed``,
    ``--device`` and ``--threads``: those that ``settings`` has a field for, with its default.

    Args:
        settings: a dataclass, such as one that extends
            :class:`logexport.training.loop.Schedule`; each of these fields has a default.
        helps: what to say of an option instead of the usual, by the name of its field.

    Raises:
        TypeError: a help for what is not an option of a schedule.
    """
    if not helps.keys() <= _SCHEDULE.keys():
        raise TypeError(f"not of a schedule: {', '.join(helps.keys() - _SCHEDULE.keys())}")
    return _all(
        _option(settings, name, kind, helps.get(name, usual))
        for name, (kind, usual) in _SCHEDULE.items()
        if hasattr(settings, name)
    )


def size_options(
    settings: type[DataclassInstance], most: int = 65_536, /, **helps: str
) -> Callable[[Command], Command]:
    """Options of whole numbers from 1 on, under the names of fields of ``settings``.

    Args:
        settings: a dataclass; each of these fields has a default.
        most: the largest number.
        helps: what to say of each, by the name of its field.
    """
    return _all(
        _option(settings, name, click.IntRange(1, most), text) for name, text in helps.items()
    )


def _option(
    settings: type[DataclassInstance], name: str, kind: click.ParamType[Any], text: str
) -> Callable[[Command], Command]:
    return click.option(
        f"--{name.replace('_', '-')}",
        type=kind,
        default=getattr(settings, name),
        show_default=True,
        help=text,
    )


def _all(options: Iterable[Callable[[Command], Command]]) -> Callable[[Command], Command]:
    """One decorator for several options, shown in their order."""
    in_order = list(options)

    def decorate(command: Command) -> Command:
        for option in reversed(in_order):
            command = option(command)
        return command

    return decorate


# --- progress -------------------------------------------------------------------------------------


@contextmanager
def matching_progress(parsed: Path) -> Iterator[Callable[[int], None]]:
    """The bar of a build.

    Args:
        parsed: what it reads.

    Yields:
        a function that takes how many more lines are matched.

    Raises:
        InputError: see :func:`logexport.training.line_tables.read_parsed`.
    """
    from logexport.training.line_tables import read_parsed

    with progress("Matching", read_parsed(parsed).rows) as done:
        yield done


class TrainingProgress:
    """What a training shows on standard error: a bar on a terminal, and a line an epoch.

    Its methods are what a training calls back: :meth:`begin` when it is known what is trained on,
    then :meth:`batch` and :meth:`epoch`, as :func:`logexport.training.loop.fit` does.
    """

    def __init__(self, bars: ExitStack, epochs: int, validation: str) -> None:
        self._bars, self._epochs, self._validation = bars, epochs, validation
        self._bar: Any = None
        self._warnings: set[str] = set()

    def warn(self, warnings: Iterable[str]) -> None:
        """Say those warnings that were not said yet."""
        for warning in warnings:
            if warning not in self._warnings:
                say(f"Warning: {warning}")
            self._warnings.add(warning)

    def begin(self, rows: int, *sentences: str, warnings: Iterable[str] = ()) -> None:
        """Say what is known before the first epoch, and open the bar.

        Args:
            rows: how many windows an epoch trains on.
            sentences: to say above it.
            warnings: to say above them.
        """
        self.warn(warnings)
        for sentence in sentences:
            say(sentence)
        # On a terminal the label is in the template, so that an epoch's line can be the label:
        # elsewhere a bar is its label, printed whenever that is another one.
        label = "Training (windows)"
        self._bar = self._bars.enter_context(
            click.progressbar(
                length=rows * self._epochs,
                label=label,
                bar_template=f"{label}  [%(bar)s]  %(info)s",
                file=sys.stderr,
                show_pos=True,
                show_percent=True,
            )
        )

    def batch(self, rows: int) -> None:
        """So many more windows were trained on."""
        self._bar.update(rows)

    def epoch(self, epoch: Epoch) -> None:
        """Print the line of an epoch where the bar is, and the bar below it."""
        bar, loss = self._bar, epoch.validation_loss
        held_out = "" if loss is None else f", {self._validation} {loss:.4f}"
        bar.label = f"epoch {epoch.number}/{self._epochs}: loss {epoch.loss:.4f}{held_out}"
        template, bar.bar_template = bar.bar_template, "%(label)s"
        bar.render_progress()
        bar.render_finish()
        bar.bar_template = template
        bar.render_progress()


@contextmanager
def training_progress(epochs: int, validation: str = "held-out loss") -> Iterator[TrainingProgress]:
    """Show a training on standard error: what it begins with, a bar, and a line an epoch.

    Args:
        epochs: at most so many.
        validation: what to call the validation loss of an epoch.
    """
    try:
        with ExitStack() as bars:
            yield TrainingProgress(bars, epochs, validation)
    except KeyboardInterrupt:
        say("Interrupted before there was a model to keep: no checkpoint is written.")
        raise


def describe_training(
    epochs: Sequence[Epoch], best: int, parameters: int, interrupted: bool = False
) -> str:
    """How a training went, as the first sentence of its report.

    Args:
        epochs: every pass that was made.
        best: the number of the one that is kept.
        parameters: of the model.
        interrupted: whether SIGINT ended it.
    """
    made = f"{len(epochs)} epochs" if len(epochs) != 1 else "1 epoch"
    begin = f"Interrupted after {made}" if interrupted else made
    return f"{begin}, the best is {best} and is kept; {parameters:,} parameters"
