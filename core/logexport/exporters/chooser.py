"""Which strategies to try, in which order, at which opset, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from logexport.errors import PluginError, StrategyUnavailableError, faults
from logexport.exporters.environment import TorchEnvironment
from logexport.exporters.strategy import AUTO, Availability, ExportStrategy, check_strategies


@dataclass(frozen=True)
class Choice:
    """One strategy to try, at ``opset``; ``reason`` says why it stands where it stands."""

    strategy: ExportStrategy
    opset: int
    reason: str


@dataclass(frozen=True)
class StrategyReport:
    """What ``logexport doctor`` shows of a strategy.

    Args:
        name: as in ``--exporter NAME``.
        usable, reason, tested: see :class:`~logexport.exporters.Availability`.
        opsets: what it can write here, ascending; empty where it is not usable.
        default_opset: None where it is not usable.
        auto: its place in what ``--exporter auto`` tries when no opset is named, from 1; None where
            it is not tried.
    """

    name: str
    usable: bool
    reason: str
    tested: bool
    opsets: tuple[int, ...]
    default_opset: int | None
    auto: int | None


def choose(
    env: TorchEnvironment,
    strategies: Sequence[ExportStrategy],
    exporter: str = AUTO,
    opset: int | None = None,
) -> tuple[Choice, ...]:
    """The strategies to try, in order; never empty.

    ``auto`` keeps the order of ``strategies``: the built-in ones first (TorchScript, then dynamo),
    then those of plugins. Those that are not usable here or do not offer ``opset`` are left out.

    Args:
        env: what is installed.
        strategies: :data:`~logexport.exporters.BUILTIN_STRATEGIES` and those of plugins.
        exporter: ``auto`` or a strategy's name.
        opset: None takes each strategy's default.

    Raises:
        StrategyUnavailableError: nothing meets the request; the sentence says what would.
        PluginError: see :func:`explain`.
    """
    reports = explain(env, strategies)
    by_name = {report.name: report for report in reports}
    if exporter != AUTO and exporter not in by_name:
        raise StrategyUnavailableError(
            f"there is no exporter {exporter!r}",
            f"Choose one of: {', '.join([AUTO, *by_name])}.",
        )
    asked = [
        (strategy, report)
        for strategy, report in zip(strategies, reports, strict=True)
        if exporter in (AUTO, report.name)
    ]
    usable = [(strategy, report) for strategy, report in asked if report.usable]
    if not usable:
        raise _nothing_usable(exporter, [report for _, report in asked], reports)
    offered = [(s, r) for s, r in usable if opset is None or opset in r.opsets]
    if not offered:
        raise _no_such_opset(exporter, opset, [r for _, r in usable], reports)
    passed_over: list[str] = []
    choices: list[Choice] = []
    for strategy, report in asked:
        if not report.usable:
            passed_over.append(f"{report.name} is not usable: {report.reason}")
            continue
        if opset is not None and opset not in report.opsets:
            passed_over.append(f"{report.name} does not offer opset {opset}")
            continue
        taken = report.default_opset if opset is None else opset
        assert taken is not None  # noqa: S101 - a usable strategy has a default opset
        choices.append(Choice(strategy, taken, _reason(report, exporter, choices, passed_over)))
    return tuple(choices)


def _reason(
    report: StrategyReport, exporter: str, before: Sequence[Choice], passed_over: Sequence[str]
) -> str:
    if exporter != AUTO:
        return f"asked for by name; {report.reason}"
    if before:
        names = ", ".join(choice.strategy.name for choice in before)
        return f"if {names} should fail; {report.reason}"
    return "; ".join([*(passed_over or ["auto takes it first"]), report.reason])


def explain(
    env: TorchEnvironment, strategies: Sequence[ExportStrategy]
) -> tuple[StrategyReport, ...]:
    """Each strategy: usable or not and why, its opsets, and its place in ``auto``.

    A plugin's strategy that raises is reported as not usable.

    Raises:
        PluginError: two strategies have one name, one is named ``auto``, or one is no strategy.
    """
    check_strategies([(type(strategy).__name__, strategy) for strategy in strategies])
    reports: list[StrategyReport] = []
    place = 0
    for strategy in strategies:
        available, opsets, default = _ask(strategy, env)
        if available.usable:
            place += 1
        reports.append(
            StrategyReport(
                strategy.name,
                available.usable,
                available.reason,
                available.tested,
                opsets,
                default,
                place if available.usable else None,
            )
        )
    return tuple(reports)


def _ask(
    strategy: ExportStrategy, env: TorchEnvironment
) -> tuple[Availability, tuple[int, ...], int | None]:
    try:
        with faults(lambda raised: PluginError(f"it raised {raised}"), meant=()):
            available = strategy.availability(env)
            if not available.usable:
                return available, (), None
            opsets = tuple(sorted(strategy.opsets(env)))
            default = strategy.default_opset(env)
    except PluginError as error:  # its fault must not take the others along
        return Availability(False, str(error), tested=False), (), None
    if default not in opsets:
        reason = f"its default opset {default} is not one that it offers ({opset_range(opsets)})"
        return Availability(False, reason, tested=False), (), None
    return available, opsets, default


def opset_range(opsets: Sequence[int]) -> str:
    """``11 to 20``, ``18``, or ``11, 13, 17`` where there are gaps."""
    if not opsets:
        return "none"
    if len(opsets) > 1 and list(opsets) == list(range(opsets[0], opsets[-1] + 1)):
        return f"{opsets[0]} to {opsets[-1]}"
    return ", ".join(map(str, opsets))


def _offers(reports: Sequence[StrategyReport]) -> str:
    return "; ".join(f"{r.name} offers opset {opset_range(r.opsets)}" for r in reports if r.usable)


def _nothing_usable(
    exporter: str, asked: Sequence[StrategyReport], reports: Sequence[StrategyReport]
) -> StrategyUnavailableError:
    reasons = "; ".join(f"{report.name}: {report.reason}" for report in asked)
    if exporter == AUTO:
        return StrategyUnavailableError(
            f"no export strategy is usable here ({reasons})",
            "Run `logexport doctor` to see what is missing.",
        )
    others = [report.name for report in reports if report.usable]
    return StrategyUnavailableError(
        f"the exporter {exporter!r} is not usable here: {asked[0].reason}",
        f"Use --exporter {' or '.join(others)}." if others else "Run `logexport doctor`.",
    )


def _no_such_opset(
    exporter: str,
    opset: int | None,
    usable: Sequence[StrategyReport],
    reports: Sequence[StrategyReport],
) -> StrategyUnavailableError:
    who = "no usable export strategy offers" if exporter == AUTO else f"{exporter} does not offer"
    elsewhere = [r.name for r in reports if r.usable and opset in r.opsets]
    return StrategyUnavailableError(
        f"{who} opset {opset}: {_offers(usable)}",
        f"Use --exporter {' or '.join(elsewhere)}, or another opset."
        if elsewhere
        else "Choose an opset that is offered, or leave --opset out.",
    )
