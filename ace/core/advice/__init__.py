"""Two pieces of advice, compared by their words alone: pure rules over one lexicon, no model."""
