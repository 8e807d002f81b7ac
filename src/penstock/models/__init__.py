"""SQL models: what they read, in which order they are built, and what must be built. Pure."""
