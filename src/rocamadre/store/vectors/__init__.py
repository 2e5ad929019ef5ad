"""Chunks of documents, found by vector and by word."""
