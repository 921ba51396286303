"""The checks of the contract in their order, and one call that runs them all on a plugin."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from logexport.testing.checks.contribution import check_contribution
from logexport.testing.checks.declaration import (
    check_entry_point,
    check_light_import,
    check_model_info,
    check_option_help,
)
from logexport.testing.checks.engine import check_engine_agreement
from logexport.testing.checks.export import (
    check_export,
    check_graph_axes,
    check_metadata,
    check_tidiness,
)
from logexport.testing.checks.loading import check_example_input, check_loading
from logexport.testing.checks.outputs import check_output_axes, check_output_values
from logexport.testing.checks.refusals import check_refusals
from logexport.testing.checks.repetition import check_second_export
from logexport.testing.contract import (
    Contract,
    ContractCheck,
    ContractError,
    NotApplicable,
    Outcome,
    Subject,
)

if TYPE_CHECKING:
    from logexport.host import Host

CHECKS: tuple[ContractCheck, ...] = (
    ContractCheck(
        "found", "installed, importable, of this contract's version", "any", check_entry_point
    ),
    ContractCheck("light_import", "its hooks import nothing heavy", "any", check_light_import),
    ContractCheck("declared", "model_info, and the files of its sample", "model", check_model_info),
    ContractCheck("options", "each option of `logexport run` has help", "any", check_option_help),
    ContractCheck(
        "loads", "load_model and build_vocab return what they must", "model", check_loading
    ),
    ContractCheck("inputs", "dummy_input fits the task", "model", check_example_input),
    ContractCheck("axes", "the module does what dynamic_axes says", "model", check_output_axes),
    ContractCheck("outputs", "outputs are finite and the same twice", "model", check_output_values),
    ContractCheck("refuses", "damaged and foreign files are errors", "model", check_refusals),
    ContractCheck("exports", "the export passes every check", "any", check_export),
    ContractCheck(
        "contributes", "what it adds to another model's export", "other", check_contribution
    ),
    ContractCheck("graph_axes", "the graph honours its axes", "model", check_graph_axes),
    ContractCheck("metadata", "the metadata is complete", "model", check_metadata),
    ContractCheck(
        "twice", "two exports give equal metadata, axes and verdicts", "any", check_second_export
    ),
    ContractCheck("tidy", "nothing printed, nothing written elsewhere", "any", check_tidiness),
    ContractCheck("engine", "the C engine agrees", "model", check_engine_agreement),
)
"""Every check, in the order in which they run."""


def check_plugin(
    subject: Subject,
    *,
    host: Host | None = None,
    directory: Path | None = None,
    report: Callable[[ContractCheck], None] = lambda _: None,
) -> list[Outcome]:
    """Run every check on a plugin.

    Args:
        subject: what is checked.
        host: where the plugins are; the installed ones by default.
        directory: see :class:`Contract`.
        report: called with each check as it begins. Nothing is printed.

    Returns:
        the outcome of every check, in order; only the first one if the plugin is not found.
    """
    contract = Contract(subject, host=host, directory=directory)
    outcomes: list[Outcome] = []
    for check in CHECKS:
        report(check)
        began = time.perf_counter()
        status: Literal["passed", "failed", "skipped"] = "passed"
        remedy = ""
        try:
            message = check(contract)
        except NotApplicable as reason:
            status, message = "skipped", str(reason)
        except ContractError as error:
            status, message, remedy = "failed", error.problem, error.remedy
        outcomes.append(Outcome(check.name, status, message, remedy, time.perf_counter() - began))
        if status == "failed" and check.name == "found":
            break
    return outcomes
