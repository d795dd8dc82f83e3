"""See `python scripts/memory_profiler.py --help`; the work is in `ace/ops/memory_profiler.py`."""

from ace.ops.memory_profiler import main

main()
