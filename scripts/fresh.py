"""Exit 0 when a file was touched within so many seconds, else 1: `python scripts/fresh.py FILE SECONDS`."""

import sys
import time
from pathlib import Path

try:
    age = time.time() - Path(sys.argv[1]).stat().st_mtime
except OSError as error:
    sys.exit(f"fresh: {error}")
if age > float(sys.argv[2]):
    sys.exit(f"fresh: {sys.argv[1]} was last touched {age:.0f} s ago")
