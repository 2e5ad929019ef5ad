"""Names in chunks, what is said between them, and searching along them."""
