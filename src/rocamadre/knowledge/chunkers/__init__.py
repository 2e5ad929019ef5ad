"""Text cut into pieces that are embedded and found again."""
