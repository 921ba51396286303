"""The plugin manager: discovery one by one, selection of the chosen model, faults with an owner.

Plugins are found through entry points of the group ``logexport``, the built-in ones like anybody's.
One that cannot be imported or that speaks another version of the contract is named with its
distribution and its error, and everything else works.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pluggy

from logexport import hookspecs
from logexport.errors import LogexportError, PluginError, UnknownModelError, faults
from logexport.hookspecs import API_VERSION, PROJECT
from logexport.hosting.answers import (
    check_engine_command,
    check_type,
    missing_hooks,
    wrong_model_info,
    wrong_option,
)
from logexport.hosting.discovery import Declaration, declarations
from logexport.hosting.guard import Printed, quiet_stdout
from logexport.model_info import ModelInfo

if TYPE_CHECKING:
    import click

    from logexport.exporters import ExportStrategy

TRACE_VARIABLE = "LOGEXPORT_TRACE"
HOST_PLUGIN = "logexport"
"""Name of the host's own plugin: its checks and its way to export."""


@dataclass
class Plugin:
    """One plugin as it was found.

    Attributes:
        name: the entry point's name.
        distribution, version: of the distribution that declares the entry point.
        module: what the entry point refers to.
        hooks: names of the hooks it implements.
        state: ``ok``, or one sentence that says why it takes no part.
        model: what its ``model_info`` declares, or None.
        deprecations: what it uses of the contract that will go, a sentence each.
    """

    name: str
    distribution: str
    version: str
    module: str
    hooks: tuple[str, ...] = ()
    state: str = "ok"
    model: ModelInfo | None = None
    deprecations: tuple[str, ...] = ()
    implementation: object | None = field(default=None, repr=False)

    @property
    def ok(self) -> bool:
        """Whether it takes part."""
        return self.state == "ok"

    def __str__(self) -> str:
        return f"plugin {self.name!r} (distribution {self.distribution} {self.version})"


class Host:
    """All plugins that were found, and the only way to call their hooks.

    Args:
        found: what to load; the entry points of the group ``logexport`` by default.
        contract: the module of hook specifications, for tests of how it may change.
    """

    def __init__(
        self, found: Iterable[Declaration] | None = None, contract: ModuleType = hookspecs
    ) -> None:
        self._contract = contract
        self.required_of_models: tuple[str, ...] = getattr(contract, "REQUIRED_OF_MODELS", ())
        """The hooks that a plugin with ``model_info`` must answer."""
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(contract)
        self.plugins: list[Plugin] = []
        self.notices: list[str] = []
        """What plugins did that they should not, and that hurt nobody: a sentence each."""
        if os.environ.get(TRACE_VARIABLE, "") not in ("", "0"):
            self._trace()
        self._add_host_plugin()
        for declaration in declarations(PROJECT) if found is None else found:
            self._load(declaration)
        self._ask_models()
        self.options = self._ask_options()

    # --- discovery ---

    def _add_host_plugin(self) -> None:
        from logexport.hosting import builtin
        from logexport.version import __version__

        plugin = Plugin(HOST_PLUGIN, "logexport", __version__, builtin.__name__)
        self.plugins.append(plugin)
        self._register(plugin, builtin)

    def _load(self, declaration: Declaration) -> None:
        plugin = Plugin(
            name=declaration.name,
            distribution=declaration.distribution,
            version=declaration.version,
            module=declaration.value,
        )
        self.plugins.append(plugin)
        try:  # whatever it raises, the rest must work
            with _faults("cannot be imported"), self._quiet(f"{plugin}, when imported,"):
                implementation = declaration.load()
            with _faults("cannot be registered"):
                self._register(plugin, implementation)
        except PluginError as error:
            plugin.state = str(error)

    def _register(self, plugin: Plugin, implementation: object) -> None:
        """Let pluggy have it, or say in its state why not."""
        stated = getattr(implementation, "logexport_api", None)
        if stated != API_VERSION:
            states = f"version {stated}" if stated is not None else "no version (logexport_api)"
            plugin.state = (
                f"incompatible: states {states} of the hooks, logexport has {API_VERSION}"
            )
            return
        name = f"{plugin.distribution}:{plugin.name}"
        try:
            plugin.deprecations = self._register_warned(implementation, name)
            plugin.hooks = tuple(
                caller.name for caller in self._manager.get_hookcallers(implementation) or ()
            )
            unknown = [hook for hook in plugin.hooks if not hasattr(self._contract, hook)]
            if unknown:
                plugin.state = f"implements hooks that do not exist: {', '.join(unknown)}"
            else:
                plugin.implementation = implementation
        finally:
            if plugin.implementation is None and self._manager.has_plugin(name):
                self._manager.unregister(name=name)

    def _register_warned(self, implementation: object, name: str) -> tuple[str, ...]:
        """Register with pluggy; what it warns of is passed on, and returned."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            self._manager.register(implementation, name=name)
        for one in caught:  # where pytest, -W and the author's own filters expect them
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
        return tuple(
            str(one.message) for one in caught if issubclass(one.category, DeprecationWarning)
        )

    def _ask_models(self) -> None:
        for plugin in self._with_hook("model_info"):
            try:
                (info,) = self.call(plugin, "model_info") or (None,)
            except LogexportError as error:
                plugin.state = str(error)
                continue
            wrong = wrong_model_info(info)
            if not wrong:
                plugin.model = info
                wrong = missing_hooks(plugin.hooks, self.required_of_models)
            if wrong:
                plugin.state = wrong

    def _ask_options(self) -> list[tuple[Plugin, click.Option]]:
        """Every option for ``run`` that a plugin declares; one that takes a host's name is out."""
        options: list[tuple[Plugin, click.Option]] = []
        for plugin in self._with_hook("run_options"):
            try:
                several = [one for given in self.call(plugin, "run_options") for one in given]
            except (LogexportError, TypeError) as error:
                plugin.state = f"run_options failed: {error}"
                continue
            wrong = next(filter(None, (wrong_option(one, options) for one in several)), "")
            if wrong:
                plugin.state = wrong
            else:
                options += [(plugin, option) for option in several]
        return options

    # --- selection ---

    def _with_hook(self, hook: str) -> list[Plugin]:
        return [plugin for plugin in self.plugins if plugin.ok and hook in plugin.hooks]

    def models(self) -> dict[str, list[Plugin]]:
        """Every model type with the plugins that declare it; more than one is a clash."""
        out: dict[str, list[Plugin]] = {}
        for plugin in self.plugins:
            if plugin.ok and plugin.model is not None:
                out.setdefault(plugin.model.name, []).append(plugin)
        return out

    def model(self, name: str) -> Plugin:
        """The plugin of a model type.

        Raises:
            UnknownModelError: no plugin that works declares it; broken plugins are named.
            PluginError: two distributions declare it.
        """
        models = self.models()
        owners = models.get(name, [])
        if not owners:
            broken = [f"{plugin}: {plugin.state}" for plugin in self.plugins if not plugin.ok]
            known = ", ".join(sorted(models)) or "none"
            raise UnknownModelError(
                f"no plugin declares the model type {name!r}; installed model types: {known}"
                + (f". Plugins that take no part: {'; '.join(broken)}" if broken else ""),
                "Name one of the installed model types, or install the plugin that has it"
                " (`logexport plugins list` shows what was found).",
            )
        if len(owners) > 1:
            raise PluginError(
                f"the model type {name!r} is declared by more than one plugin:"
                f" {' and '.join(str(owner) for owner in owners)}",
                "Uninstall all but one of these distributions.",
            )
        return owners[0]

    def plugin(self, name: str) -> Plugin:
        """A plugin by its entry point's name; the host's own is :data:`HOST_PLUGIN`."""
        return next(plugin for plugin in self.plugins if plugin.name == name)

    # --- calls ---

    def call(self, plugin: Plugin, hook: str, **arguments: Any) -> list[Any]:
        """Call one hook of one plugin; every other plugin is left out.

        Returns:
            the answers that are not None: one at most.

        Raises:
            LogexportError: as the plugin raised it.
            PluginError: anything else it raised, with its name and the hook's.
        """
        others = [p for p in self._manager.get_plugins() if p is not plugin.implementation]
        caller = self._manager.subset_hook_caller(hook, others)
        with self._owned(plugin, hook):
            answer = caller(**arguments)
            answers = answer if isinstance(answer, list) else [answer]
            # A generator runs here, where what it raises still has an owner.
            return [
                list(one) if isinstance(one, Iterator) else one
                for one in answers
                if one is not None
            ]

    def call_first(self, plugins: Sequence[Plugin], hook: str, **arguments: Any) -> Any:
        """The first answer of the plugins, in their order; see :meth:`call` for errors."""
        for plugin in plugins:
            if hook in plugin.hooks:
                answers = self.call(plugin, hook, **arguments)
                if answers:
                    return answers[0]
        return None

    def required(self, plugin: Plugin, hook: str, answer: type, **arguments: Any) -> Any:
        """The answer of a hook that must give one of the type ``answer``.

        Raises:
            PluginError: no answer, or one of another type.
        """
        answers = self.call(plugin, hook, **arguments) if hook in plugin.hooks else []
        if not answers:
            raise PluginError(
                f"{plugin} gives no answer to the hook {hook!r}, which every model plugin must",
                f"Implement {hook} in {plugin.module} (docs/hooks.md says what it returns).",
            )
        check_type(answers[0], answer, str(plugin), hook, plugin.module)
        return answers[0]

    def each(self, hook: str, **arguments: Any) -> Iterator[tuple[Plugin, Any]]:
        """Call a hook of every plugin that has it, one at a time: (plugin, answer) pairs."""
        for plugin in self._with_hook(hook):
            for answer in self.call(plugin, hook, **arguments):
                yield plugin, answer

    def participants(self, hook: str, model: Plugin) -> list[Plugin]:
        """Who is asked ``validate`` or ``write_meta``: all but the plugins of other model types."""
        return [p for p in self._with_hook(hook) if p is model or p.model is None]

    def engine(self) -> tuple[Plugin, list[str]] | None:
        """The plugin whose C engine is in use, with the words that start it: the first that has
        one. None where no plugin has."""
        for plugin, command in self.each("engine_command"):
            return plugin, check_engine_command(command, str(plugin))
        return None

    def has_engine(self, plugin: Plugin) -> bool:
        """Whether the C engine in use is this plugin's."""
        engine = self.engine()
        return engine is not None and engine[0] is plugin

    def engine_command(self) -> list[str] | None:
        """The words that start the C engine, or None where no plugin has one."""
        engine = self.engine()
        return None if engine is None else engine[1]

    def strategies(self) -> list[ExportStrategy]:
        """The export strategies: the host's, then those that plugins register.

        Raises:
            PluginError: something is not a strategy, or has a name that is taken.
        """
        from logexport.exporters import BUILTIN_STRATEGIES
        from logexport.exporters.strategy import check_strategies

        given: list[tuple[str, object]] = [("the host", one) for one in BUILTIN_STRATEGIES]
        for plugin, several in self.each("register_exporters"):
            alone = isinstance(several, str) or not isinstance(several, Sequence)
            given += [(str(plugin), one) for one in ((several,) if alone else several)]
        return check_strategies(given)

    def register_commands(self, cli: click.Group, reserved: Iterable[str]) -> None:
        """Let plugins add commands to the command line; the host's own names stay the host's."""
        import click

        taken = dict.fromkeys(reserved, HOST_PLUGIN)
        for plugin in self._with_hook("register_commands"):
            group = click.Group()
            try:
                self.call(plugin, "register_commands", cli=group)
            except LogexportError as error:
                plugin.state = str(error)
                continue
            for name, command in group.commands.items():
                if name in taken:
                    plugin.state = f"its command {name!r} is already taken by {taken[name]}"
                    continue
                taken[name] = plugin.name
                cli.add_command(command, name)

    @contextmanager
    def _quiet(self, who: str) -> Iterator[None]:
        """Keep standard output free, and note who printed to it."""
        printed = Printed()
        try:
            with quiet_stdout() as printed:
                yield
        finally:
            if printed.text:
                self.notices.append(printed.warning(who))

    @contextmanager
    def _owned(self, plugin: Plugin, hook: str) -> Iterator[None]:
        """Name the plugin and the hook in whatever a hook raises or prints, but for errors meant
        for the user."""
        blame = lambda raised: PluginError(  # noqa: E731
            f"{plugin} failed in the hook {hook!r}: {raised}",
            "Report this to the plugin's author, with the output of the same command with --debug.",
        )
        with faults(blame), self._quiet(f"{plugin}, hook {hook!r},"):
            yield

    def _trace(self) -> None:
        began: list[float] = []

        def before(hook: str, impls: Sequence[Any], arguments: Mapping[str, Any]) -> None:
            began.append(time.perf_counter())

        def after(
            outcome: object, hook: str, impls: Sequence[Any], arguments: Mapping[str, Any]
        ) -> None:
            seconds = time.perf_counter() - began.pop()
            names = ", ".join(impl.plugin_name for impl in impls) or "nobody"
            print(f"logexport trace: {hook} by {names}: {seconds:.4f} s", file=sys.stderr)  # noqa: T201

        self._manager.add_hookcall_monitoring(before, after)


def _faults(what: str) -> AbstractContextManager[None]:
    """What a plugin raises before it takes part, as a clause for its state."""
    return faults(lambda raised: PluginError(f"{what}: {raised}"), meant=())


@lru_cache(maxsize=1)
def default_host() -> Host:
    """The host of the installed entry points, made once a process."""
    return Host()
