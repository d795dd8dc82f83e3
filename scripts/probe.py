"""Exit 0 when a URL answers 2xx within two seconds, else 1 with the reason: `python scripts/probe.py URL`."""

import sys
import urllib.request

try:
    with urllib.request.urlopen(sys.argv[1], timeout=2):
        pass
except (OSError, IndexError) as error:
    sys.exit(f"probe: {error}")
