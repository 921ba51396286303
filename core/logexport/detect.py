"""The reference: what a verdict is. docs/verdicts.md says the same in words.

A task's input says what the model is shown (the last events of a session, or counts over lines),
its decision how the output is read (the rank of an event, or a score against a threshold). The two
are separate in :mod:`logexport.verdicts.tasks` and combine freely; no model is known by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from logexport.bundle import Bundle, BundledModel, proof_text
from logexport.errors import BundleError
from logexport.logs.events import EventReader
from logexport.verdicts.detector import Detector, Stats
from logexport.verdicts.log_files import LogFiles
from logexport.verdicts.options import (
    DEFAULT_OPTIONS,
    DetectOptions,
    apply_options,
    apply_to_rules,
    check_sessions,
)
from logexport.verdicts.records import Output
from logexport.verdicts.scorers import OnnxRuntimeScorer

if TYPE_CHECKING:
    from logexport.logs.events import Event
    from logexport.logs.lines import LogLine
    from logexport.verdicts.scorers import Scorer

__all__ = [
    "Detection",
    "detect",
    "open_model",
]


def open_model(path: Path, options: DetectOptions = DEFAULT_OPTIONS) -> BundledModel:
    """One model of the bundle in ``path``, opened as the options say.

    Args:
        path: the bundle's directory.
        options: ``model``, ``no_verify``, ``require_proof`` and ``allow_warnings`` are looked at.

    Raises:
        BundleError: the bundle is not what its manifest says, it does not hold that model, or the
            model is not proven as is required.
    """
    model = Bundle.load(path, verify=not options.no_verify).model(options.model)
    if options.require_proof and model.proof != "full":
        raise BundleError(
            describe_proof(model),
            "Export it again with its checks and with the C engine installed.",
        )
    if options.require_proof and not options.allow_warnings and not model.is_fully_proven:
        raise BundleError(
            describe_proof(model),
            f"`logexport inspect {model.directory}` shows the warnings with their remedies;"
            " --allow-warnings takes the bundle as it is.",
        )
    return model


def describe_proof(model: BundledModel) -> str:
    """What a model's proof lacks, as half a sentence."""
    text = proof_text(model.proof, model.warnings)
    return f"{model.directory}: {model.name} is not fully proven: proof {text}"


class Detection:
    """The verdicts of one log: lines in, records out. The twin of a ``logexport_engine``.

    Records come in the order of the lines, each once its batch is full, after :meth:`flush`, or
    when the log ends.

    Args:
        model: a model of a bundle, published or staged.
        options: see :class:`logexport.verdicts.options.DetectOptions`.
        scorer: runs the model; None: ONNX Runtime runs the bundle's graph, on ``options.threads``
            threads and of ``options.variant``.

    Attributes:
        reading: how the bytes of a log become the lines that :meth:`feed` takes.
        stats: what was seen so far, also after an error.
        files: which file each line stands in, see :meth:`next_file`.

    Raises:
        InputError, UsageError: see :func:`logexport.verdicts.options.apply_options`; also for a
            pattern that is not portable.
        BundleError: the graph cannot be loaded.
    """

    def __init__(
        self,
        model: BundledModel,
        options: DetectOptions = DEFAULT_OPTIONS,
        scorer: Scorer | None = None,
    ) -> None:
        # First, so that an option which does not fit is refused before a graph is loaded.
        task = apply_options(model.task, model.vocab, options)
        preprocess = apply_to_rules(model.preprocess, options)
        check_sessions(task, model.vocab, preprocess)
        self._reader = EventReader(preprocess, model.vocab)
        self.reading = preprocess.reading
        if scorer is None:
            scorer = OnnxRuntimeScorer(model.graph(options.variant), options.threads)
        self._detector = Detector(task, model.vocab, scorer, options, rules=preprocess)
        self.stats: Stats = self._detector.stats
        self.files = LogFiles(options.with_keys)

    def feed(self, line: LogLine) -> Iterator[Output]:
        """Take the log's next line, blank or not; give the records that are decided by now.

        Raises:
            BundleError: the model's outputs are not what the task says.
        """
        self.stats.lines += 1
        return self._take(self._reader.feed(line))

    def next_file(self, name: str) -> None:
        """A file of the log begins: the lines from the next one on stand in it.

        Args:
            name: as records say it.
        """
        self.files.begin(name, self.stats.lines + 1)

    def flush(self) -> Iterator[Output]:
        """Give the records of all lines so far, as when the input has gone quiet.

        Raises:
            BundleError: see :meth:`feed`.
        """
        return self._detector.flush()

    def finish(self) -> Iterator[Output]:
        """The end of the log: give the rest of the records, and what its end closes.

        Raises:
            BundleError: see :meth:`feed`.
        """
        return chain(self._take(self._reader.finish()), self._detector.finish())

    def _take(self, events: Iterable[Event]) -> Iterator[Output]:
        # All are taken now, whether or not somebody asks for the records.
        return chain.from_iterable([self._detector.feed(event) for event in events])

    def read(self, lines: Iterable[LogLine]) -> Iterator[Output]:
        """The records of a log from its first line to its end.

        Args:
            lines: see :func:`logexport.logs.lines.iter_logs`, in order, blank lines included.

        Raises:
            InputError: while iterating: the log cannot be read further.
            BundleError: see :meth:`feed`.
        """
        for line in lines:
            yield from self.feed(line)
        yield from self.finish()


def detect(
    lines: Iterable[LogLine],
    model: BundledModel,
    options: DetectOptions = DEFAULT_OPTIONS,
    scorer: Scorer | None = None,
) -> Iterator[Output]:
    """The verdicts of a log: the definition that every other implementation is held to.

    Args:
        lines: see :meth:`Detection.read`.
        model, options, scorer: see :class:`Detection`, which also counts what it saw.

    Raises:
        InputError, UsageError, BundleError: at once: see :class:`Detection`; while iterating: see
            :meth:`Detection.read`.
    """
    return Detection(model, options, scorer).read(lines)
