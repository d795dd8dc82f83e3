"""The HTTP door: strict input in, one service called, JSON or a problem out."""
