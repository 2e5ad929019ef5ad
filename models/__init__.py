"""The embedded models: a folder each, with one weight file, its tokenizer, its card and the recipe that made it."""
