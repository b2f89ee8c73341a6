"""The demo: the whole loop on generated drawings, or on a person's own."""
