"""Shipped fakes: each keeps its port's promises, needs no disk and no network, and is tested beside the real thing."""
