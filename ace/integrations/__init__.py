"""Where ACE meets the agents people already run: one file per ecosystem, in its conventions, over the SDK's calls."""
