"""The train_incremental step."""
