"""Part families. Each module registers functions that turn a `Draughtsman` into the views of one part."""
