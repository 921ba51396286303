"""``pip install`` with every requirement ``NAME>=VERSION`` as ``NAME==VERSION``: for tox."""

from __future__ import annotations

import re
import subprocess
import sys


def lowest(argument: str) -> str:
    """A requirement at its lower bound; options, files and the rest as they are."""
    return re.sub(r"^([A-Za-z][\w.\-]*(?:\[[\w,\- ]*\])?) *>= *", r"\1==", argument)


if __name__ == "__main__":
    arguments = [lowest(argument) for argument in sys.argv[1:]]
    sys.exit(subprocess.run([sys.executable, "-I", "-m", "pip", "install", *arguments]).returncode)
