"""What a plugin without a model adds to another model's export."""

from __future__ import annotations

from logexport.testing.contract import Contract, ContractError, raise_refusals_as_breaches


def check_contribution(contract: Contract) -> str:
    """A plugin without a model adds checks, metadata or strategies to another model's export."""
    plugin = contract.plugin
    contributions = []
    if "validate" in plugin.hooks:
        checks = [c for c in contract.exported.models[0].checks if c.plugin == plugin.name]
        if not checks:
            raise ContractError(
                f"validate of {plugin} gave no result for {contract.model}",
                "Give a result for every export; skipped, with the reason, where it has nothing"
                " to say.",
            )
        contributions.append(f"checks {', '.join(check.name for check in checks)}")
    if "write_meta" in plugin.hooks:
        contributions.append(f"entries in the metadata of {contract.model}")
    if "register_exporters" in plugin.hooks:
        contributions.append(f"strategies {', '.join(_list_strategies(contract))}")
    other_hooks = [hook for hook in plugin.hooks if hook in ("register_commands", "engine_command")]
    return "; ".join([*contributions, *other_hooks]) or "options only"


def _list_strategies(contract: Contract) -> list[str]:
    from logexport.exporters.strategy import check_strategies

    with raise_refusals_as_breaches(contract.plugin, "register_exporters"):
        offered = [
            (str(contract.plugin), strategy)
            for several in contract.host.call(contract.plugin, "register_exporters")
            for strategy in several
        ]
        return [strategy.name for strategy in check_strategies(offered)]
