"""``logexport inspect``: what a bundle is, its tasks, decisions, proof and checks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from logexport.cli.common import emit_json, json_option

if TYPE_CHECKING:
    from logexport.bundle import Bundle


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@json_option
def inspect(bundle: Path, as_json: bool) -> None:
    """Show what a BUNDLE is: models, tasks, decisions, proof and checks."""
    from logexport.bundle import Bundle

    document = describe(Bundle.load(bundle))
    if as_json:
        emit_json(document)
    else:
        _show(document)


def describe(bundle: Bundle) -> dict[str, Any]:
    """The bundle as one JSON document."""
    return {
        "bundle": str(bundle.path),
        "proof": bundle.proof,
        "warnings": bundle.warnings,
        "versions": dict(bundle.manifest["versions"]),
        "files": dict(bundle.manifest["files"]),
        "models": {
            name: {
                **model.meta,
                "proof": model.proof,
                "warnings": model.warnings,
                "validation": bundle.validation.get(name),
            }
            for name, model in bundle.models.items()
        },
    }


def _show(document: dict[str, Any]) -> None:
    from logexport.bundle import proof_text

    size = sum(entry["size"] for entry in document["files"].values())
    click.echo(f"bundle: {document['bundle']} ({len(document['files'])} files, {size:,} bytes)")
    click.echo(f"proof: {proof_text(document['proof'], document['warnings'])}")
    made = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
    click.echo(f"made with: {made}")
    for name, model in document["models"].items():
        task = dict(model["task"])
        click.echo(f"\n{name}:")
        parameters = {
            key: value
            for key, value in task.items()
            if key not in ("input", "decision") and not isinstance(value, (dict, list))
        }
        stated = ", ".join(f"{key} {value}" for key, value in parameters.items())
        rows = {
            "input": f"{task['input']} {model['input_shape']}",
            "decision": f"{task['decision']} ({stated})",
            "outputs": ", ".join(model["output_names"]),
            "vocabulary": f"{model['vocab_size']} entries in {model['vocab']['file']}",
            "preprocess": f"{model['preprocess']['file']} (from {model['preprocess']['source']})",
            "exporter": f"{model['exporter']['strategy']}, opset {model['opset_version']},"
            f" torch {model['exporter']['torch_version']}",
            "variants": ", ".join(model["variants"]) or "none",
        }
        for label, value in rows.items():
            click.echo(f"  {label}: {value}")
        for note in model["notes"]:
            click.echo(f"  note: {note}")
        click.echo(f"  proof {proof_text(model['proof'], model['warnings'])}")
        _show_validation(model["validation"])


def _show_validation(validation: dict[str, Any] | None) -> None:
    if validation is None:
        click.echo("  checks: none (exported with --no-validate)")
        return
    from logexport.cli.results import check_table
    from logexport.types import CheckResult

    click.echo(f"  checked: {validation['created']}")
    checks = [CheckResult(**check) for check in validation["checks"]]
    if checks:
        click.echo(check_table(checks))
    for warning in validation["warnings"]:
        click.echo(f"  warning: {warning}")
