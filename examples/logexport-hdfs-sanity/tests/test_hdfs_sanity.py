"""The contract of a plugin, and the check on vocabularies that hold block numbers."""

from __future__ import annotations

import pytest
from logexport.testing import PluginContract
from logexport.types import Vocabulary
from logexport_hdfs_sanity import validate, write_meta


class TestContract(PluginContract):
    plugin = "hdfs-sanity"


@pytest.mark.parametrize(
    ("templates", "status", "hdfs"),
    [
        (("Receiving block <*> src: <*>", "Deleting block <*>"), "passed", 0),
        (("Received block blk_<*> of size <NUM>",), "passed", 1),
        (("Received block blk_38865049064139660 of size <NUM>", "done"), "failed", 1),
        (("Deleting block blk_-7 file <PATH>",), "failed", 1),
    ],
)
def test_a_block_number_in_a_template_fails(
    templates: tuple[str, ...], status: str, hdfs: int
) -> None:
    vocab = Vocabulary(templates)
    (result,) = validate(vocab)
    assert (result.name, result.status) == ("hdfs_blocks", status)
    assert write_meta(vocab) == {"hdfs_templates": hdfs}
