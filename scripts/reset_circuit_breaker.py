"""See `python scripts/reset_circuit_breaker.py --help`; the work is in `ace/ops/reset_circuit_breaker.py`."""

from ace.ops.reset_circuit_breaker import main

main()
