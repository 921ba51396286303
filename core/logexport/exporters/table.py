"""What is known of each torch release, strategy and model construct, in one place.

``checked`` says how a row is known: ``matrix`` (tests show it again on every release that it names,
see docs/compatibility.md) or ``run`` (it was exported by hand, and the graph compared with torch in
ONNX Runtime at sizes other than the traced ones). The table guides the choice and is printed by
``logexport doctor``; it is never the proof of an export, which is the check of the graph itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from packaging.specifiers import SpecifierSet

if TYPE_CHECKING:
    from logexport.exporters.environment import TorchEnvironment

Checked = Literal["matrix", "run"]
Verdict = Literal["right", "wrong", "fails"]

OLDEST = (1, 13)
"""The oldest torch release that logexport supports."""


@dataclass(frozen=True)
class Release:
    """``torch.onnx.export`` of one release, from the wheel's own sources.

    Args:
        version: the patch release that was looked at; it stands for its major.minor.
        dynamo: default of the keyword ``dynamo``; None where the keyword does not exist.
        dynamic_shapes, external_data, fallback: whether the keyword exists.
        torchscript_max_opset: the highest opset that the TorchScript exporter writes rightly.
    """

    version: str
    dynamo: bool | None
    dynamic_shapes: bool
    external_data: bool
    fallback: bool
    torchscript_max_opset: int

    @property
    def key(self) -> tuple[int, int]:
        major, minor = self.version.split(".")[:2]
        return int(major), int(minor)


RELEASES: dict[tuple[int, int], Release] = {
    release.key: release
    for release in (
        #                dynamo shapes external fallback TorchScript
        Release("1.13.1", None, False, False, False, 17),
        Release("2.0.1", None, False, False, False, 17),  # 18 by its own word: see ROWS
        Release("2.1.2", None, False, False, False, 17),
        Release("2.2.2", None, False, False, False, 17),
        Release("2.3.1", None, False, False, False, 17),
        Release("2.4.1", False, False, False, False, 20),
        Release("2.5.1", False, True, True, True, 20),
        Release("2.6.0", False, True, True, True, 20),
        Release("2.7.1", False, True, True, True, 20),
        Release("2.8.0", False, True, True, True, 20),
        Release("2.9.1", True, True, True, True, 20),
        Release("2.10.0", True, True, True, True, 20),
        Release("2.11.0", True, True, True, False, 20),
        Release("2.12.1", True, True, True, False, 20),
        Release("2.13.0", True, True, True, False, 20),
        Release("2.14.1", True, True, True, False, 20),
        Release("2.15.0", True, True, True, False, 20),
    )
}

NEWEST = max(RELEASES)


@dataclass(frozen=True)
class KnownRow:
    """One thing that is known.

    Args:
        torch: the releases it holds for, as a version specifier.
        strategy: ``torchscript`` or ``dynamo``.
        construct: what kind of model. :data:`ANY`, :data:`RECURRENT` and :data:`CONVOLUTIONAL` are
            the built-in models', and what is known of these decides for the strategy as a whole.
        verdict: ``right``; ``wrong`` (a graph is written, and it is not the model); ``fails`` (no
            graph is written).
        note: what was seen.
        checked: how.
    """

    torch: str
    strategy: str
    construct: str
    verdict: Verdict
    note: str
    checked: Checked

    def applies(self, env: TorchEnvironment) -> bool:
        return SpecifierSet(self.torch, prereleases=True).contains(env.torch.base_version)


ANY = "any"
RECURRENT = "recurrent (LSTM with batch_first=True)"
CONVOLUTIONAL = "convolutional autoencoder"
BROAD = (ANY, RECURRENT, CONVOLUTIONAL)
LATER = "a later export of a process"
"""Dynamo keeps state from one export to the next; logexport gives each a process of its own."""

BOUND = "bound to the traced length in the first export of a process too, without a warning"
"""``StaticAxisError`` finds it."""

ROWS: tuple[KnownRow, ...] = (
    KnownRow(
        ">=1.13,<2.16",
        "torchscript",
        ANY,
        "right",
        "LSTM on event ids or behind an embedding, convolutional autoencoder; every opset that is "
        "offered",
        "matrix",
    ),
    KnownRow(
        ">=2.9,<2.16",
        "torchscript",
        ANY,
        "right",
        "dynamo=False must be spelled out and gives a DeprecationWarning",
        "matrix",
    ),
    KnownRow(
        ">=1.13,<2.16",
        "torchscript",
        "ConvLSTM with attention",
        "right",
        "opset 17 (run on 1.13.1, 2.0.1, 2.5.1, 2.13.0 and 2.15.0)",
        "run",
    ),
    KnownRow(
        ">=1.13,<2.16",
        "torchscript",
        "nn.TransformerEncoder, causal",
        "wrong",
        "silently bound to the traced length (run on 2.5.1, 2.13.0, 2.15.0); attention written out "
        "as matmul and softmax is right",
        "run",
    ),
    KnownRow(
        "==2.0.*",
        "torchscript",
        "Tensor.mean at opset 18",
        "fails",
        "CheckerError: a ReduceMean with axes, which opset 18 does not have; so 18 is not offered",
        "matrix",
    ),
    KnownRow(
        "==1.13.*",
        "torchscript",
        "Tensor.unflatten",
        "fails",
        "does not export; reshape does",
        "run",
    ),
    KnownRow(
        "<2.4",
        "dynamo",
        ANY,
        "fails",
        "torch.onnx.export has no keyword dynamo (torch.onnx.dynamo_export of 2.1 to 2.3 is "
        "another function)",
        "matrix",
    ),
    KnownRow(
        "==2.4.*",
        "dynamo",
        ANY,
        "fails",
        "no keyword dynamic_shapes, so dynamic axes cannot be asked for; with dynamic_axes every "
        "model raises OnnxExporterError",
        "matrix",
    ),
    KnownRow("==2.5.*", "dynamo", RECURRENT, "wrong", BOUND, "matrix"),
    KnownRow("==2.5.*", "dynamo", CONVOLUTIONAL, "fails", "ConversionError", "matrix"),
    KnownRow("==2.6.*", "dynamo", ANY, "fails", "ConversionError", "matrix"),
    KnownRow("==2.7.*", "dynamo", RECURRENT, "wrong", BOUND, "matrix"),
    KnownRow("==2.8.*", "dynamo", RECURRENT, "fails", "ConversionError", "matrix"),
    KnownRow(
        "==2.9.*",
        "dynamo",
        ANY,
        "fails",
        "TorchExportError (Constraints violated) in the first export of a process too",
        "matrix",
    ),
    KnownRow(">=2.10,<2.13", "dynamo", RECURRENT, "wrong", BOUND, "matrix"),
    KnownRow(
        ">=2.7,<2.13,!=2.9.*",
        "dynamo",
        CONVOLUTIONAL,
        "right",
        "withheld all the same: a strategy is usable where every kind of model is right",
        "matrix",
    ),
    KnownRow(
        ">=2.13,<2.15",
        "dynamo",
        ANY,
        "right",
        "only the first export of a process: later ones raise TorchExportError or are silently "
        "static, depending on how the axes are written, so each has a process of its own",
        "matrix",
    ),
    KnownRow(
        ">=2.13,<2.15",
        "dynamo",
        LATER,
        "wrong",
        "recurrent models are bound to the traced length or raise TorchExportError",
        "matrix",
    ),
    KnownRow(
        "==2.13.*",
        "dynamo",
        "LSTM with batch_first=False",
        "wrong",
        "silently bound to the traced sizes, in the first export of a process too",
        "matrix",
    ),
    KnownRow(
        "==2.13.*",
        "dynamo",
        "bidirectional LSTM with batch_first=True",
        "right",
        "in a process of its own, one and two layers; as a later export of a process bound to the "
        "traced length",
        "run",
    ),
    KnownRow("==2.15.*", "dynamo", ANY, "right", "as TorchScript", "matrix"),
    KnownRow("==2.15.*", "dynamo", LATER, "right", "three in a row", "matrix"),
    KnownRow("==2.15.*", "dynamo", "bidirectional LSTM", "right", "as a later export too", "run"),
    KnownRow(
        ">=2.13,<2.16",
        "dynamo",
        "nn.TransformerEncoder, causal",
        "fails",
        "refused; attention written out is right (run on 2.13.0 and 2.15.0)",
        "run",
    ),
)


def is_newer(env: TorchEnvironment) -> bool:
    """Whether torch is newer than anything the table knows."""
    return env.release > NEWEST


def nearest_release(env: TorchEnvironment) -> Release:
    """The newest release of the table that is not newer than the installed torch; the oldest for
    one that is older than all."""
    return RELEASES[max((key for key in RELEASES if key <= env.release), default=OLDEST)]


def untested(env: TorchEnvironment) -> str | None:
    """Why logexport was not tested with this torch, as one clause; None where it was."""
    if env.release < OLDEST:
        return f"torch {env.torch} is older than {'.'.join(map(str, OLDEST))}"
    if is_newer(env):
        return f"torch {env.torch} is newer than logexport knows"
    if env.release not in RELEASES:
        return f"torch {env.torch} is no release that logexport knows"
    if env.torch.is_prerelease:
        return f"torch {env.torch} is a pre-release"
    return None


def known_rows(env: TorchEnvironment) -> tuple[KnownRow, ...]:
    """What is known for this torch, in the table's order; empty for one that the table lacks."""
    return tuple(row for row in ROWS if row.applies(env))


def worst_overall(env: TorchEnvironment, strategy: str) -> KnownRow | None:
    """The worst that is known of ``strategy`` as a whole here, or None if nothing is."""
    order: tuple[Verdict, ...] = ("wrong", "fails", "right")
    rows = [r for r in known_rows(env) if r.strategy == strategy and r.construct in BROAD]
    return min(rows, key=lambda row: order.index(row.verdict), default=None)
