"""`python -m pipelines [DIR]`: compile all pipelines, by default into src/drawops/packages."""

import sys
from pathlib import Path

from pipelines.compile import compile_all

for file in compile_all(Path(sys.argv[1]) if len(sys.argv) > 1 else None):
    print(file)
