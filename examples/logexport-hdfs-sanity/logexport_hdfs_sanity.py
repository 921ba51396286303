"""No template of an HDFS log may hold a block's number: each would be an event of its own."""

import re

from logexport import hookimpl
from logexport.types import CheckResult

logexport_api = 1
BLOCK = re.compile(r"blk_-?\d+")


@hookimpl
def write_meta(vocab):
    return {"hdfs_templates": sum("blk" in template for template in vocab.templates)}


@hookimpl
def validate(vocab):
    numbered = [template for template in vocab.templates if BLOCK.search(template)]
    message = f"{len(numbered)} of {len(vocab)} templates hold a block's number: {numbered[:1]}"
    status = "failed" if numbered else "passed"
    yield CheckResult("hdfs_blocks", status, message=message, figures={"numbered": len(numbered)})
