"""Verbs: pure decisions and state tables; the clock, chance and ids are arguments, the world stays outside."""
