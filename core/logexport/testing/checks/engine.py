"""What the C engine shows of an export."""

from __future__ import annotations

from logexport.testing.contract import Contract, ContractError, NotApplicable


def check_engine_agreement(contract: Contract) -> str:
    """The checks of the C engine ran, if a plugin runs it here."""
    found = [check for check in contract.exported.models[0].checks if check.engine is not None]
    if not found:
        raise NotApplicable("no plugin runs the C engine here")
    if all(check.status == "skipped" for check in found):
        raise NotApplicable(found[0].message)
    for check in found:
        if check.status == "skipped" and "scored" in check.message:
            raise ContractError(
                f"{check.name} proves nothing: {check.message}",
                "Give a longer log (the sample's, or replay): 100 scored lines, or one window.",
            )
    return "; ".join(f"{check.name} {check.status}: {check.message}" for check in found)
