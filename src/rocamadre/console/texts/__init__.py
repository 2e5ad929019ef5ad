"""What the console says, in each language: `texts/<language>.toml`, a table per page."""
