#!/usr/bin/env python3
"""A bullet lacks feedback: reflect now on the episodes that bear on it. See `ace.ops.manual_reflection`."""

from ace.ops.manual_reflection import main

if __name__ == "__main__":
    main()
