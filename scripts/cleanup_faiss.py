"""See `python scripts/cleanup_faiss.py --help`; the work is in `ace/ops/cleanup_faiss.py`."""

from ace.ops.cleanup_faiss import main

main()
