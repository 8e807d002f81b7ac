"""Facts about runs, and what people read of them."""
