"""``logexport verify``: is a bundle still what was published? Needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from logexport.cli.common import emit_json, json_option, say


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@json_option
def verify(bundle: Path, as_json: bool) -> int:
    """Check a BUNDLE's sums, schemas and graphs, and replay its self-test; needs no torch.

    Exit status: 0 all is well, 1 a check failed, 2 it is no bundle or not what its manifest says.
    """
    from logexport.bundle import Bundle, proof_text
    from logexport.cli.results import check_table
    from logexport.publishing.reports import check_json
    from logexport.verify import verify_bundle

    checks = verify_bundle(bundle)
    opened = Bundle.load(bundle, verify=False)  # its sums were checked
    failed = any(check.status == "failed" for of_model in checks.values() for check in of_model)
    if as_json:
        document: dict[str, Any] = {
            "bundle": str(bundle),
            "status": "failed" if failed else "passed",
            "proof": opened.proof,
            "warnings": opened.warnings,
            "models": {
                name: [check_json(check) for check in of_model] for name, of_model in checks.items()
            },
        }
        emit_json(document)
    else:
        for name, of_model in checks.items():
            click.echo(f"{name}:")
            click.echo(check_table(of_model, lambda check: bool(check.warnings)))
        found = "FAILED" if failed else "all checks passed"
        click.echo(f"{bundle}: {found}, proof {proof_text(opened.proof, opened.warnings)}")
        for name, of_model in checks.items():
            for check in of_model:
                for warning in check.warnings:
                    say(f"Warning: {name}: {warning}")
    return 1 if failed else 0
