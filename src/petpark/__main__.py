"""`python -m petpark` is `petpark`."""

import sys

from petpark.cli import main

sys.exit(main())
