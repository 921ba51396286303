"""What a check of the contract gets, a :class:`Contract`, and what it gives."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

from logexport.errors import LogexportError, PluginError, UnknownModelError
from logexport.types import (
    DummyInput,
    ExportRequest,
    LoadedModel,
    ModelRequest,
    RunResult,
    Vocabulary,
)

if TYPE_CHECKING:
    from logexport.host import Host, Plugin
    from logexport.publishing.plan import ModelJob, PluginOptions
    from logexport.testing.watch import Written


class ContractError(AssertionError):
    """The plugin breaks the contract.

    Args:
        problem: what is wrong.
        remedy: what its author changes.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}\n  What to change: {remedy}")
        self.problem = problem
        self.remedy = remedy


class NotApplicable(Exception):  # noqa: N818 - not an error: the check has nothing to say here
    """A check has nothing to say of this plugin; the text says why."""


@dataclass(frozen=True)
class Subject:
    """What is checked.

    Args:
        plugin: the model type's name, or the entry point's name of a plugin without a model.
        checkpoint, vocab, parsed, preprocess, replay: as in :class:`logexport.ExportRequest`;
            without a checkpoint the sample that the plugin ships is exported.
        options: of ``logexport run``.
    """

    plugin: str
    checkpoint: Path | None = None
    vocab: Path | None = None
    parsed: Path | None = None
    preprocess: Path | None = None
    replay: Path | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What one check found.

    Args:
        name: the check's.
        status: ``skipped`` with the reason as ``message``.
        message: what was found, or what is wrong.
        remedy: what to change, if the check failed.
        seconds: wall time.
    """

    name: str
    status: Literal["passed", "failed", "skipped"]
    message: str
    remedy: str
    seconds: float


@dataclass(frozen=True)
class ContractCheck:
    """One check: call it with a contract.

    Args:
        name: as in the report; ``[a-z_]+``.
        summary: what it holds the plugin to, one line.
        of: ``model`` plugins, ``other`` plugins, or ``any``.
        run: the check itself.
    """

    name: str
    summary: str
    of: Literal["model", "other", "any"]
    run: Callable[[Contract], str]

    def __call__(self, contract: Contract) -> str:
        """Run it; one line that says what was found.

        Raises:
            ContractError: the plugin breaks the contract.
            NotApplicable: the check has nothing to say of this plugin.
        """
        is_model = contract.plugin.model is not None
        if self.of != "any" and is_model != (self.of == "model"):
            raise NotApplicable(
                f"{contract.subject.plugin} is {'a' if is_model else 'no'} model plugin"
            )
        return self.run(contract)


@contextmanager
def raise_refusals_as_breaches(plugin: Plugin, hook: str) -> Iterator[None]:
    """Turn what the host refuses of a hook's answer into a breach, with what to change."""
    try:
        yield
    except LogexportError as error:
        raise ContractError(
            str(error), error.remedy or f"Change {hook} in {plugin.module}."
        ) from error


class Contract:
    """A plugin under check: its answers and exports, each made once when first asked for.

    Args:
        subject: what is checked.
        host: where the plugins are; the installed ones by default.
        directory: where exports and damaged files are made; nothing is removed from it. Without
            one, a temporary directory that is removed with this object.
    """

    def __init__(
        self, subject: Subject, *, host: Host | None = None, directory: Path | None = None
    ) -> None:
        from logexport.host import default_host

        self.subject = _make_absolute(subject)
        self.host = host or default_host()
        self._temporary = None
        if directory is None:
            self._temporary = TemporaryDirectory(prefix="logexport-contract-")
            directory = Path(self._temporary.name)
        self.directory = Path(os.path.realpath(directory))
        self.written: Written | None = None

    @cached_property
    def plugin(self) -> Plugin:
        """The plugin, which takes part."""
        name = self.subject.plugin
        named = [
            plugin
            for plugin in self.host.plugins
            if name in (plugin.name, plugin.model and plugin.model.name)
        ]
        broken = [plugin for plugin in named if not plugin.ok]
        try:
            return self.host.model(name)
        except UnknownModelError as error:
            working = [plugin for plugin in named if plugin.ok]
            if working:
                return working[0]
            if broken:
                raise ContractError(
                    f"{broken[0]} takes no part: {broken[0].state}",
                    "Correct what the sentence names; `logexport plugins list` shows the state.",
                ) from None
            raise ContractError(
                str(error),
                "Install the plugin here, and declare it in pyproject.toml under"
                ' [project.entry-points.logexport]: NAME = "package.hooks".',
            ) from None
        except PluginError as error:
            raise ContractError(str(error), error.remedy) from None

    @cached_property
    def model(self) -> str:
        """The model type that is exported: the plugin's own, or one that carries its checks."""
        if self.plugin.model is not None:
            return self.plugin.model.name
        carriers = [
            name
            for name, owners in self.host.models().items()
            if len(owners) == 1 and owners[0].model and owners[0].model.sample
        ]
        if not carriers:
            raise NotApplicable("no installed model type ships a sample to export")
        return carriers[0]

    @cached_property
    def planned(self) -> tuple[ModelJob, PluginOptions]:
        """The request as the model's hooks receive it."""
        from logexport.publishing.plan import plan

        try:
            (job,), options = plan(self.request("planned"), self.host)
        except LogexportError as error:
            raise ContractError(
                f"the export cannot be planned: {error}",
                error.remedy or "Ship a sample, or name a checkpoint and a vocabulary.",
            ) from None
        return job, options

    @property
    def model_request(self) -> ModelRequest:
        """As :attr:`planned`, for the model's own hooks."""
        job, options = self.planned
        return job.request_of(job.plugin, options)

    @cached_property
    def loaded(self) -> LoadedModel:
        """The answer of ``load_model``, checked."""
        from logexport.hosting.answers import check_loaded

        with raise_refusals_as_breaches(self.plugin, "load_model"):
            loaded: LoadedModel = self._call_hook(
                "load_model", LoadedModel, request=self.model_request
            )
            check_loaded(loaded, str(self.plugin))
        return loaded

    @cached_property
    def vocab(self) -> Vocabulary:
        """The answer of ``build_vocab``, checked."""
        from logexport.hosting.answers import check_vocab

        with raise_refusals_as_breaches(self.plugin, "build_vocab"):
            vocab: Vocabulary = self._call_hook(
                "build_vocab", Vocabulary, request=self.model_request, model=self.loaded
            )
            check_vocab(vocab, str(self.plugin))
        return vocab

    @cached_property
    def dummy(self) -> DummyInput:
        """The answer of ``dummy_input``, checked with the module's outputs."""
        from logexport.hosting.answers import check_dummy, check_outputs

        with raise_refusals_as_breaches(self.plugin, "dummy_input"):
            dummy: DummyInput = self._call_hook(
                "dummy_input",
                DummyInput,
                request=self.model_request,
                model=self.loaded,
                vocab=self.vocab,
            )
            check_dummy(dummy, str(self.plugin))
            check_outputs(self.loaded, dummy, str(self.plugin))
        return dummy

    def _call_hook(self, hook: str, answer: type, **arguments: Any) -> Any:
        return self.host.required(self.plugin, hook, answer, **arguments)

    def request(self, name: str, **more: Any) -> ExportRequest:
        """The job of exporting the subject into ``directory/name/bundle``."""
        subject = self.subject
        return ExportRequest(
            models=[self.model],
            output_dir=self.directory / name / "bundle",
            checkpoint=subject.checkpoint,
            vocab=subject.vocab,
            parsed=subject.parsed,
            preprocess=subject.preprocess,
            replay=subject.replay,
            options={**subject.options, **more},
        )

    @cached_property
    def _first_export(self) -> RunResult | LogexportError:
        """The first export, in an empty working directory, with every file that it writes noted."""
        from logexport.testing.watch import written_files

        with _work_in(self.directory / "first"), written_files() as written:
            self.written = written
            return self._run_export("first")

    @cached_property
    def _second_export(self) -> RunResult | LogexportError:
        names = {option.name for _, option in self.host.options}
        with _work_in(self.directory / "second"):
            # One engine is enough: what it says of equal bundles is equal.
            return self._run_export("second", **({"native": "off"} if "native" in names else {}))

    def _run_export(self, name: str, **more: Any) -> RunResult | LogexportError:
        from logexport.pipeline import run

        try:
            return run(self.request(name, **more), host=self.host)
        except LogexportError as error:
            return error

    @property
    def exported(self) -> RunResult:
        """The first export."""
        return self._require_export(self._first_export)

    @property
    def exported_again(self) -> RunResult:
        """The second one."""
        return self._require_export(self._second_export)

    def _require_export(self, result: RunResult | LogexportError) -> RunResult:
        if isinstance(result, LogexportError):
            raise NotApplicable(f"the export failed (see the check 'exports'): {result}")
        return result

    @property
    def first_error(self) -> LogexportError | None:
        """What the first export raised, or None."""
        return self._first_export if isinstance(self._first_export, LogexportError) else None


def _make_absolute(subject: Subject) -> Subject:
    names = ("checkpoint", "vocab", "parsed", "preprocess", "replay")
    paths_or_none = {name: getattr(subject, name) for name in names}
    paths: dict[str, Any] = {
        name: Path(path).absolute() for name, path in paths_or_none.items() if path is not None
    }
    return replace(subject, **paths)


@contextmanager
def _work_in(directory: Path) -> Iterator[None]:
    """Work in an empty directory, with temporary files in another one beside it."""
    cwd, scratch = directory / "cwd", directory / "tmp"
    for path in (cwd, scratch):
        path.mkdir(parents=True, exist_ok=True)
    here = Path.cwd()
    before = os.environ.get("TMPDIR"), tempfile.tempdir
    os.chdir(cwd)
    os.environ["TMPDIR"], tempfile.tempdir = str(scratch), None
    try:
        yield
    finally:
        os.chdir(here)
        tempfile.tempdir = before[1]
        if before[0] is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = before[0]
