"""From a job to what each model's hooks receive: files found, options given to their owners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from logexport.errors import InputError, LogexportError, PluginError, UsageError, faults
from logexport.host import Host, Plugin
from logexport.types import ExportRequest, ModelRequest, PerModel

if TYPE_CHECKING:
    import click

VOCAB = "vocab.json"
PREPROCESS = "preprocess.json"
PARSED = "parsed.parquet"
SEQUENCES = "sequences.parquet"


@dataclass(frozen=True)
class ModelJob:
    """One model of a job: its plugin, its request, and where its preprocess rules came from.

    ``preprocess_source`` is ``option``, ``vocab``, ``parsed`` or ``sample``; ``alog-detect`` if
    there are none, and the templates do not say otherwise.
    """

    plugin: Plugin
    request: ModelRequest
    preprocess_source: str

    def request_of(self, plugin: Plugin, options: PluginOptions) -> ModelRequest:
        """The request as a plugin's hooks see it: with that plugin's options."""
        return replace(self.request, options=options.of(plugin, self.request.model))


class PluginOptions:
    """The values of the options that plugins declared by ``run_options``.

    Args:
        host: where the plugins are.
        given: ``ExportRequest.options``.
        models: the chosen model types.

    Raises:
        UsageError: nobody that takes part declares the option, it names a model that is not
            exported, or its value is not one.
    """

    def __init__(self, host: Host, given: Mapping[str, Any], models: Sequence[str]) -> None:
        self._declared: dict[str, list[tuple[Plugin, click.Option]]] = {}
        taking_part = [p for p in host.plugins if p.model is None or p.model.name in models]
        for plugin, option in host.options:
            if plugin in taking_part:
                assert option.name is not None  # noqa: S101 - Host saw to it
                self._declared.setdefault(option.name, []).append((plugin, option))
        self._given = given
        self._models = models
        for name, value in given.items():
            if name not in self._declared:
                flag = "--" + name.replace("_", "-")
                raise UsageError(
                    f"none of the models {', '.join(models)} has the option {flag}",
                    "`logexport run --help` lists the options of every plugin.",
                )
            for model in value if isinstance(value, Mapping) else ():
                if model not in models:
                    raise UsageError(
                        f"an option {name!r} is given for {model!r}, which is not exported"
                        f" (models: {', '.join(models)})"
                    )
        for plugin in taking_part:  # every value is converted before any work begins
            for model in models if plugin.model is None else (plugin.model.name,):
                self.of(plugin, model)

    def of(self, plugin: Plugin, model: str) -> dict[str, Any]:
        """The values of a plugin's options for one model, as click parses and converts them."""
        import click

        arguments: list[str] = []
        own: list[click.Option] = []
        for name, owners in self._declared.items():
            for owner, option in owners:
                if owner is not plugin:
                    continue
                own.append(option)
                value = self._given.get(name)
                if isinstance(value, Mapping):
                    value = value.get(model)
                if option.is_flag and value is not None:
                    arguments += (option.opts if value else option.secondary_opts)[:1]
                elif value is not None:
                    arguments += [option.opts[0], str(value)]
        command = click.Command("run", params=list(own), add_help_option=False)
        blame = lambda raised: PluginError(  # noqa: E731 - a type or callback of the plugin's own
            f"{plugin} failed to convert its options: {raised}",
            "A click type raises click.BadParameter for a value that it does not take.",
        )
        try:
            with faults(blame, meant=(LogexportError, click.UsageError)):
                return dict(command.make_context("run", arguments).params)
        except click.UsageError as error:
            raise UsageError(f"{model}: {error.format_message()}") from error


def plan(request: ExportRequest, host: Host) -> tuple[list[ModelJob], PluginOptions]:
    """Find the plugin and the files of every model; nothing is read yet.

    Raises:
        InputError: a file that is named does not exist, or one that is needed is not named.
    """
    if not request.models:
        raise UsageError("no model is named", "Name one or more by --model.")
    repeated = {name for name in request.models if list(request.models).count(name) > 1}
    if repeated:
        raise UsageError(f"the model {', '.join(sorted(repeated))} is named more than once")
    plugins = [host.model(name) for name in request.models]
    options = PluginOptions(host, request.options, request.models)
    for what in ("checkpoint", "vocab", "parsed", "preprocess"):
        paths = getattr(request, what)
        for model in paths if isinstance(paths, Mapping) else ():
            if model not in request.models:
                raise UsageError(f"--{what} names the model {model!r}, which is not exported")
    return [_job(request, plugin) for plugin in plugins], options


def _job(request: ExportRequest, plugin: Plugin) -> ModelJob:
    assert plugin.model is not None  # noqa: S101 - Host.model gives model plugins only
    model = plugin.model.name
    checkpoint = _of(request.checkpoint, model)
    vocab = _of(request.vocab, model)
    parsed = _of(request.parsed, model)
    preprocess = _of(request.preprocess, model)
    sample = plugin.model.sample
    replay = request.replay
    named = False  # a parsed file that is named is the training log, whatever lies elsewhere
    if checkpoint is None:
        given = {"--vocab": vocab, "--parsed": parsed, "--preprocess": preprocess}
        for flag, path in given.items():
            if path is not None:
                raise UsageError(
                    f"{flag} is given but no --checkpoint: the sample that {model} ships is"
                    " exported as it is",
                    "Name the checkpoint, or leave the option out.",
                )
        if sample is None:
            raise UsageError(
                f"no --checkpoint is given, and {plugin} ships no sample",
                "Name a trained checkpoint by --checkpoint.",
            )
        checkpoint, vocab, preprocess = sample.checkpoint, sample.vocab, sample.preprocess
        replay = replay or sample.log
        source = "sample"
    else:
        source = "option" if preprocess else ""
        _exists(checkpoint)
        if vocab is None:
            vocab = _beside(checkpoint, VOCAB)
            if vocab is None:
                raise UsageError(
                    f"no --vocab is given, and no {VOCAB} lies beside {checkpoint}",
                    "Name the vocabulary that the checkpoint was trained with by --vocab.",
                )
        named = parsed is not None
        parsed = parsed or _beside(vocab, PARSED)
        if preprocess is None:
            for place, beside in (("vocab", vocab), ("parsed", parsed)):
                if preprocess is None and beside is not None:
                    preprocess = _beside(beside, PREPROCESS)
                    source = place
            if preprocess is None:
                source = "alog-detect"
    for path in (checkpoint, vocab, parsed, preprocess, replay):
        if path is not None:
            _exists(path)
    return ModelJob(
        plugin,
        ModelRequest(
            model=model,
            checkpoint=checkpoint,
            vocab=vocab,
            parsed=parsed,
            sequences=None if named else _beside(vocab, SEQUENCES),
            preprocess=preprocess,
            replay=replay,
            opset=request.opset,
            exporter=request.exporter,
            sample=source == "sample",
        ),
        source,
    )


def _exists(path: Path) -> None:
    if not path.is_file():
        what = "is a directory" if path.is_dir() else "does not exist"
        raise InputError(f"{path} {what}", "Name an existing file.")


def _of(paths: PerModel, model: str) -> Path | None:
    return paths.get(model) if isinstance(paths, Mapping) else paths


def _beside(path: Path, name: str) -> Path | None:
    found = path.parent / name
    return found if found.is_file() else None
