"""Answers from chunks, and from nothing else: readers, generation, citations, sessions."""
