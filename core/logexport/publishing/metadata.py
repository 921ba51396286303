"""``NAME.onnx.meta.json``: what the host says of a model, and what plugins add."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from logexport import schemas
from logexport.bundle import BUNDLE_SCHEMA_VERSION, FileNames
from logexport.exporters import Choice
from logexport.exporters.graph import dynamic_axes
from logexport.files import encode_json, write_json
from logexport.hosting.answers import merge_entries
from logexport.logs.preprocess import Preprocess
from logexport.publishing.contents import Contents, versions
from logexport.types import Attempt, GraphInfo, LoadedModel, Vocabulary
from logexport.vocab import engine_form

__all__ = [
    "host_entries",
    "write_metadata",
    "write_vocab_and_rules",
]


def write_vocab_and_rules(
    contents: Contents, model: str, vocab: Vocabulary, preprocess: Preprocess, source: str
) -> dict[str, Any]:
    """Write ``vocab.json`` and ``preprocess.json`` in the engine's form.

    Args:
        contents: the bundle that the files go into.
        model: whose they are; models share what is byte-identical.
        vocab, preprocess: what is written.
        source: where the rules came from, see :class:`~logexport.publishing.plan.ModelJob`.

    Returns:
        the metadata's entries ``vocab`` and ``preprocess``.
    """
    vocab_bytes = encode_json(engine_form(vocab))
    preprocess_bytes = encode_json(preprocess.to_json())
    return {
        "vocab": {
            "file": contents.add_shared("vocab.json", vocab_bytes, model),
            "sha256": hashlib.sha256(vocab_bytes).hexdigest(),
            "reserved": dict(vocab.reserved),
        },
        "preprocess": {
            "file": contents.add_shared("preprocess.json", preprocess_bytes, model),
            "sha256": hashlib.sha256(preprocess_bytes).hexdigest(),
            "source": source,
        },
    }


def host_entries(
    model: str,
    loaded: LoadedModel,
    vocab: Vocabulary,
    graph: GraphInfo,
    choice: Choice,
    tried: Sequence[Attempt],
    variants: Sequence[str],
    references: Mapping[str, Any],
) -> dict[str, Any]:
    """The metadata's entries that the host gives, in the documented order.

    Args:
        model: the model type's name.
        loaded, vocab: the answers of its plugin.
        graph: read back from the finished graph.
        choice: the strategy that wrote the graph.
        tried: the strategies that failed before.
        variants: names of the graph's variants.
        references: what :func:`write_vocab_and_rules` gave.
    """
    names = FileNames(model)
    return {
        "schema_version": BUNDLE_SCHEMA_VERSION,
        "model_type": model,
        "vocab_size": len(vocab),
        "input_shape": list(graph.input_shapes[0]),
        "output_shape": list(graph.output_shapes[0]),
        "input_names": list(graph.input_names),
        "output_names": list(graph.output_names),
        "opset_version": graph.opset_version,
        "dynamic_axes": dynamic_axes(graph),
        "exporter": {
            "strategy": choice.strategy.name,
            "torch_version": versions()["torch"],
            "reason": choice.reason,
            "tried": [
                {
                    "strategy": attempt.strategy,
                    "opset_version": attempt.opset,
                    "outcome": attempt.outcome,
                }
                for attempt in tried
            ],
        },
        **references,
        "variants": {name: names.variant(name) for name in variants},
        "task": loaded.task.to_json(),
    }


def write_metadata(
    contents: Contents,
    model: str,
    entries: Mapping[str, Any],
    given: Iterable[tuple[str, str, Mapping[str, Any]]],
) -> dict[str, Any]:
    """Write a model's metadata.

    Args:
        contents: the bundle that the file goes into.
        model: the model type's name.
        entries: the host's own, see :func:`host_entries`.
        given: what each plugin adds: (the plugin in words, its module, its answer).

    Returns:
        the document.

    Raises:
        PluginError: an answer cannot be taken over: a key that another gave, or not JSON.
    """
    document = dict(entries)
    owners = dict.fromkeys(document, "the host")
    notes: list[str] = []
    for plugin, module, answer in given:
        merge_entries(answer, document, owners, notes, plugin, module)
    document["notes"] = notes
    path = contents.path / FileNames(model).meta
    schemas.check(document, "meta", path)
    write_json(path, document)
    return document
