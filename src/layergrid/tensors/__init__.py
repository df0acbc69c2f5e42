"""A cell's tensor: what of which file it is, how it is divided, and what can be said of it."""
