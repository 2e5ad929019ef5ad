"""A small trained network that points at the words of a passage which answer a question, or says that none do."""
