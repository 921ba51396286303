"""Whether a second export gives what the first one gave."""

from __future__ import annotations

import json

from logexport.testing.contract import Contract, ContractError


def check_second_export(contract: Contract) -> str:
    """Two exports of one checkpoint give equal metadata, files and verdicts."""
    one, two = contract.exported, contract.exported_again
    first, second = one.models[0], two.models[0]
    metas = [json.loads(r.metadata.read_text(encoding="utf-8")) for r in (first, second)]
    for key in sorted({*metas[0], *metas[1]}):
        if metas[0].get(key) != metas[1].get(key):
            raise ContractError(
                f"two exports differ in the metadata's {key!r}: {metas[0].get(key)!r} and"
                f" {metas[1].get(key)!r}",
                "Write nothing that changes from run to run (times, paths, random numbers).",
            )
    names = sorted(path.name for path in one.bundle.iterdir())
    if names != sorted(path.name for path in two.bundle.iterdir()):
        raise ContractError("two exports have other files", "Write the same files every time.")
    verdicts = _detect_by_both(contract)
    if verdicts[0] != verdicts[1]:
        different = sum(a != b for a, b in zip(*verdicts, strict=False))
        raise ContractError(
            f"{different} verdicts differ between two exports of one checkpoint",
            "Load the same weights every time; a model in eval mode must not be random.",
        )
    return f"metadata, axes and {len(verdicts[0])} verdicts are equal"


def _detect_by_both(contract: Contract) -> list[list[str]]:
    """What detection says of the self-test's lines, and of the subject's log, by both exports."""
    from itertools import islice

    from logexport.bundle import Bundle
    from logexport.detect import detect
    from logexport.logs.lines import iter_logs

    out = []
    for result in (contract.exported, contract.exported_again):
        model = Bundle.load(result.bundle).model(contract.model)
        verdicts: list[str] = []
        log = result.bundle / f"{contract.model}.selftest.log"
        logs = [path for path in (log, contract.model_request.replay) if path and path.is_file()]
        if model.task.known and logs:
            lines = islice(iter_logs(logs, model.preprocess.reading), 5_000)
            verdicts = [record.to_line() for record in detect(lines, model)]
        out.append(verdicts)
    return out
