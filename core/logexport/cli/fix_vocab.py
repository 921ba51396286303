"""``logexport fix-vocab``: template ids to template strings, every index kept."""

from __future__ import annotations

from pathlib import Path

import click

from logexport.cli.common import emit_json, json_option, say


@click.command("fix-vocab")
@click.option(
    "--parsed", required=True, type=click.Path(path_type=Path), metavar="P",
    help="The training log as parsed: parsed.parquet.",
)  # fmt: skip
@click.option(
    "--old-vocab", required=True, type=click.Path(path_type=Path), metavar="V",
    help="Vocabulary with template ids where template strings belong.",
)  # fmt: skip
@click.option(
    "--output", required=True, type=click.Path(path_type=Path), metavar="O",
    help="The repaired vocabulary.",
)  # fmt: skip
@click.option(
    "--allow-missing", is_flag=True,
    help="Reserve the index of an id without a template, under a label that no line can match.",
)  # fmt: skip
@json_option
def fix_vocab(
    parsed: Path, old_vocab: Path, output: Path, allow_missing: bool, as_json: bool
) -> None:
    """Turn an id-keyed vocabulary into a template-keyed one that the trained model stays valid for.

    Every index is kept. Where one id has had several templates, the last by line number is taken
    and all are listed.
    """
    from logexport.training.line_tables import template_history
    from logexport.vocab import read_id_entries, repair, save_training_vocab

    entries = read_id_entries(old_vocab)
    vocab, several = repair(entries, template_history(parsed), parsed, allow_missing)
    save_training_vocab(vocab, output)
    reserved = {name: index for name, index in vocab.reserved.items() if name not in ("unknown",)}
    if as_json:
        emit_json(
            {
                "output": str(output),
                "entries": len(vocab),
                "several_templates": several,
                "reserved": reserved,
            }
        )
        return
    for template_id, templates in several.items():
        say(f"id {template_id} has had {len(templates)} templates; the last is taken:")
        for template in templates:
            say(f"    {template}")
    for name, index in reserved.items():
        say(f"index {index} is reserved ({name}): no line will match it")
    click.echo(f"{output}: {len(vocab)} templates, every index as in {old_vocab}")
