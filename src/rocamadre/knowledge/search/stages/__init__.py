"""The stages of a search, a file each; `knowledge.search.registry` names them."""
