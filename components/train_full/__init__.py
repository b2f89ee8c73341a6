"""The train_full step."""
