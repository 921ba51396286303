"""``python -m logexport``."""

import sys

from logexport.cli import main

sys.exit(main())
