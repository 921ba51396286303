"""``logexport run``: export, check, publish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from logexport.cli.common import (
    emit_json,
    installed_plugins,
    json_option,
    report_broken_plugins,
    say,
)
from logexport.cli.results import check_table, result_json
from logexport.errors import CheckFailedError, LogexportError, UsageError

if TYPE_CHECKING:
    from logexport.host import Host, Plugin
    from logexport.types import RunResult


class _PluginOption(click.Option):
    """An option that one or more plugins declare: repeatable, ``VALUE`` or ``NAME=VALUE``."""

    def __init__(self, owners: Sequence[tuple[Plugin, click.Option]]) -> None:
        first = owners[0][1]
        self.owners = tuple(owners)
        attributes: dict[str, Any] = {"help": first.help}
        if first.is_flag:
            attributes |= {"is_flag": True, "default": None}
        else:
            metavar = first.make_metavar(click.Context(click.Command("run")))
            attributes |= {"multiple": True, "metavar": f"[NAME=]{metavar}"}
        super().__init__([*first.opts, *first.secondary_opts, str(first.name)], **attributes)


class _RunCommand(click.Command):
    """Shows and takes the plugins' options beside the host's own."""

    _arguments: Sequence[str] = ()

    def _plugin_options(self) -> list[_PluginOption]:
        owners: dict[str, list[tuple[Plugin, click.Option]]] = {}
        for plugin, option in installed_plugins().options:
            owners.setdefault(str(option.name), []).append((plugin, option))
        return [_PluginOption(several) for several in owners.values()]

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        if not hasattr(self, "_all"):
            own = super().get_params(ctx)
            # --help stays last, as click has it.
            self._all = [*own[:-1], *self._plugin_options(), own[-1]]
        return self._all

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        self._arguments = tuple(args)  # for --help, which is answered before --model is read
        return super().parse_args(ctx, args)

    def _chosen(self) -> list[str]:
        """The models that the command line names so far, well-formed or not."""
        following = (*self._arguments[1:], "")
        named = [
            after if word == "--model" else word.removeprefix("--model=")
            for word, after in zip(self._arguments, following, strict=True)
            if word == "--model" or word.startswith("--model=")
        ]
        return [name for name in named if name in installed_plugins().models()]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The host's options, then each plugin's own under its name; where models are named, those
        of the plugins that take part."""
        sections: dict[str, list[tuple[str, str]]] = {"Options": []}
        chosen = self._chosen()
        for parameter in self.get_params(ctx):
            if not isinstance(parameter, _PluginOption):
                record = parameter.get_help_record(ctx)
                if record is not None:
                    sections["Options"].append(record)
                continue
            for owner in parameter.owners:
                plugin = owner[0]
                if not chosen or plugin.model is None or plugin.model.name in chosen:
                    own = parameter if len(parameter.owners) == 1 else _PluginOption([owner])
                    record = own.get_help_record(ctx)
                    if record is not None:
                        sections.setdefault(f"Options of {plugin.name}", []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


_PATH_METAVAR = "[NAME=]PATH"


@click.command(cls=_RunCommand)
@click.option(
    "--model", "models", multiple=True, required=True, metavar="NAME",
    help="Model type to export; repeat for several in one bundle.",
)  # fmt: skip
@click.option(
    "--checkpoint", multiple=True, metavar=_PATH_METAVAR,
    help="Trained checkpoint.  [default: the sample that ships with the model]",
)  # fmt: skip
@click.option(
    "--vocab", multiple=True, metavar=_PATH_METAVAR,
    help="Vocabulary of template strings.  [default: vocab.json beside the checkpoint]",
)  # fmt: skip
@click.option(
    "--parsed", multiple=True, metavar=_PATH_METAVAR,
    help="The training log as parsed, to match every line again."
    "  [default: parsed.parquet beside the vocabulary]",
)  # fmt: skip
@click.option(
    "--preprocess", multiple=True, metavar=_PATH_METAVAR,
    help="Headers and masks.  [default: preprocess.json beside the vocabulary or the parsed file]",
)  # fmt: skip
@click.option(
    "--replay", type=click.Path(path_type=Path), metavar="LOG", help="Raw log for the checks."
)
@click.option(
    "-o", "--output-dir", type=click.Path(path_type=Path), default=Path("bundle"),
    show_default=True, metavar="DIR", help="The bundle; replaced only if every check passes.",
)  # fmt: skip
@click.option(
    "--opset", type=click.IntRange(min=1), metavar="N",
    help="ONNX opset.  [default: 17 by torchscript, 18 by dynamo]",
)  # fmt: skip
@click.option(
    "--exporter", default="auto", show_default=True, metavar="auto|torchscript|dynamo|NAME",
    help="Export strategy; `logexport doctor` shows which are usable.",
)  # fmt: skip
@click.option("--portable", is_flag=True, help="Also write NAME_portable.onnx (any machine).")
@click.option("--optimize", is_flag=True, help="Also write NAME_optimized.onnx (this machine).")
@click.option(
    "--validate/--no-validate", default=True, show_default=True,
    help="Run the checks; without them the bundle's proof is none.",
)  # fmt: skip
@json_option
@click.pass_context
def run(
    ctx: click.Context,
    /,
    models: tuple[str, ...],
    output_dir: Path,
    replay: Path | None,
    opset: int | None,
    exporter: str,
    portable: bool,
    optimize: bool,
    validate: bool,
    as_json: bool,
    **rest: Any,
) -> None:
    """Export trained models to a bundle, prove it, and publish it.

    Without --checkpoint the sample that ships with the model is exported. Nothing is published
    unless every check passes.
    """
    from logexport.pipeline import run as run_job
    from logexport.types import ExportRequest

    host = installed_plugins()
    report_broken_plugins(host)
    paths = {
        name: _paths(host, models, name, rest.pop(name))
        for name in ("checkpoint", "vocab", "parsed", "preprocess")
    }
    options = {
        name: _by_model(host, models, name, value)
        for name, value in rest.items()
        if value is not None and value != ()
    }
    request = ExportRequest(
        models=models,
        output_dir=output_dir,
        replay=replay,
        opset=opset,
        exporter=exporter,
        portable=portable,
        optimize=optimize,
        validate=validate,
        options=options,
        **paths,
    )
    noticed = len(host.notices)
    try:
        result = run_job(request, host=host, report=lambda model, stage: say(f"{model}: {stage} …"))
    except LogexportError as error:
        if isinstance(error, CheckFailedError) and not as_json:
            click.echo(check_table(error.checks))
        for notice in host.notices[noticed:]:
            say(f"Warning: {notice}.")
        raise
    debug = bool(ctx.find_root().obj and ctx.find_root().obj.get("debug"))
    if as_json:
        emit_json(result_json(result))
    else:
        _show(result, debug)


def _paths(host: Host, models: Sequence[str], name: str, given: Sequence[str]) -> Any:
    value = _by_model(host, models, name, given)
    if isinstance(value, Mapping):
        return {model: Path(path) for model, path in value.items()}
    return None if value is None else Path(value)


def _by_model(host: Host, models: Sequence[str], name: str, given: Any) -> Any:
    """``VALUE`` for all models, ``NAME=VALUE`` for one; both together, the named one wins."""
    if not isinstance(given, tuple):
        return given
    known = {*models, *host.models()}
    plain: list[str] = []
    named: dict[str, str] = {}
    flag = "--" + name.replace("_", "-")
    for value in given:
        model, equals, own = value.partition("=")
        if equals and model in known:
            if model in named:
                raise UsageError(f"{flag} is given twice for {model}")
            named[model] = own
        else:
            plain.append(value)
    if len(plain) > 1:
        raise UsageError(
            f"{flag} is given {len(plain)} times",
            f"Say which model each is for: {flag} NAME=VALUE.",
        )
    if not named:
        return plain[0] if plain else None
    if plain:
        return {**dict.fromkeys(models, plain[0]), **named}
    return named


# --- what is shown --------------------------------------------------------------------------------


def _show(result: RunResult, debug: bool) -> None:
    from logexport.bundle import proof_text
    from logexport.publishing.reports import counted_warnings, is_warned

    for model in result.models:
        taken = model.attempts[-1]
        source = "the built-in sample" if model.sample else str(model.checkpoint)
        click.echo(
            f"{model.model}: exported {source} by {taken.strategy}, opset {taken.opset}"
            f" ({taken.reason})"
        )
        click.echo(check_table(model.checks) if model.checks else "  no checks (--no-validate)")
        seconds = ", ".join(f"{stage} {value:.2f}" for stage, value in model.seconds.items())
        click.echo(f"  seconds: {seconds}")
        counted = [
            warning for check in model.checks if is_warned(check) for warning in check.warnings
        ]
        for warning in model.warnings:
            if warning not in counted:  # these end the report
                click.echo(f"  warning: {warning}")
        if model.exporter_warnings:
            if debug:
                for warning in model.exporter_warnings:
                    say(f"  exporter: {warning}")
            else:
                count = len(model.exporter_warnings)
                click.echo(f"  {count} warnings of the exporter, in validation.json (--debug)")
    proof = proof_text(result.proof, result.warnings)
    click.echo(f"bundle: {result.bundle} (proof: {proof}, {result.seconds:.1f} s)")
    for model in result.models:
        for warning in counted_warnings(model.checks):
            say(f"Warning: {model.model}: {warning}")
