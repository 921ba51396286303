"""``logexport fix-vocab``: template ids to template strings, and entries that stand for none."""

from __future__ import annotations

from pathlib import Path

import click

from logexport.cli.common import emit_json, json_option, say
from logexport.errors import UsageError, VocabularyError


def _reserved_name(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> object:
    """``NAME`` or ``NAME=INDEX``."""
    names: list[tuple[str, int | None]] = []
    for value in values:
        name, equals, index = value.rpartition("=")
        if not equals:
            names.append((value, None))
        elif not (index.isascii() and index.isdecimal() and len(index) < 10):
            raise click.BadParameter(f"{value!r} is not NAME or NAME=INDEX.")
        else:
            names.append((name, int(index)))
    return tuple(names)


@click.command("fix-vocab")
@click.option(
    "--parsed", type=click.Path(path_type=Path), metavar="P",
    help="The training log as parsed, by whatever gave the ids: parsed.parquet, or a table with the"
    " ids and their templates (logparser's NAME_structured.csv).",
)  # fmt: skip
@click.option(
    "--old-vocab", required=True, type=click.Path(path_type=Path), metavar="V",
    help="Vocabulary with template ids where template strings belong, or with too few entries.",
)  # fmt: skip
@click.option(
    "--output", required=True, type=click.Path(path_type=Path), metavar="O",
    help="The repaired vocabulary.",
)  # fmt: skip
@click.option(
    "--allow-missing", is_flag=True,
    help="Reserve the index of an id without a template, under a label that no line can match.",
)  # fmt: skip
@click.option(
    "--reserve", multiple=True, metavar="NAME[=INDEX]", callback=_reserved_name,
    help="Add an entry that stands for no template, at INDEX, from which all others move up by one,"
    " or at the first that is free.  Lines of no template enter a window as `unknown`.",
)  # fmt: skip
@click.option(
    "--entries", type=click.IntRange(min=1), metavar="N",
    help="Reserve all indices below N that are free: N is the number of the checkpoint's classes.",
)  # fmt: skip
@json_option
def fix_vocab(
    parsed: Path | None,
    old_vocab: Path,
    output: Path,
    allow_missing: bool,
    reserve: tuple[tuple[str, int | None], ...],
    entries: int | None,
    as_json: bool,
) -> None:
    """Turn an id-keyed vocabulary into a template-keyed one that the trained model stays valid for,
    or add the entries that the model has beside its templates.

    Every index is kept, unless --reserve names one that is taken. Where one id has had several
    templates, the last by line number is taken and all are listed.
    """
    from logexport.training.id_tables import read_id_table
    from logexport.vocab import (
        looks_like_ids,
        read_entries,
        read_id_entries,
        repair,
        save_training_vocab,
        vocabulary_of,
    )
    from logexport.vocab import reserve as reserve_entries

    adds = bool(reserve) or entries is not None
    old = read_entries(old_vocab, allow_gaps=True) if adds else read_id_entries(old_vocab)
    has_ids = looks_like_ids(old)
    if has_ids and parsed is None:
        raise VocabularyError(
            f"{old_vocab} has template ids where template strings belong, and no parsed log is"
            " named that says what they stand for",
            "Name it by --parsed.",
        )
    if parsed is not None and not has_ids:
        raise UsageError(
            f"--parsed is given, but {old_vocab} holds template strings, not template ids",
            "Leave it out.",
        )
    made = reserve_entries(old_vocab, old, reserve, entries) if adds else old
    several: dict[str, list[str]] = {}
    reading = None
    if parsed is None:
        vocab = vocabulary_of(made)
    else:
        table = read_id_table(parsed, made)
        reading = {"column": table.id_column, "ids_are": table.reading}
        vocab, several = repair(made, table.history, parsed, allow_missing)
    save_training_vocab(vocab, output)
    moved = sum(1 for text, index in old.items() if made[text] != index)
    if as_json:
        emit_json(
            {
                "output": str(output),
                "entries": len(vocab),
                "several_templates": several,
                "reserved": vocab.reserved,
                "moved": moved,
                "read_by": reading,
            }
        )
        return
    if reading is not None and reading["ids_are"] != "the same text":
        say(f"ids were found in the column {reading['column']} of {parsed}: {reading['ids_are']}")
    for template_id, templates in several.items():
        say(f"id {template_id} has had {len(templates)} templates; the last is taken:")
        for template in templates:
            say(f"    {template}")
    for name, index in vocab.reserved.items():
        means = "lines of no template enter a window as it" if name == "unknown" else ""
        say(f"index {index} is reserved ({name}): {means or 'no line will match it'}")
    kept = f"{moved} moved up" if moved else f"every index as in {old_vocab}"
    templates_count = len(vocab) - len(vocab.reserved)
    also = f" and {len(vocab.reserved)} reserved" if vocab.reserved else ""
    click.echo(f"{output}: {templates_count} templates{also}, {kept}")
