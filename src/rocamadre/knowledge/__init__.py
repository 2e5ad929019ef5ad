"""Knowledge bases: documents are parsed, cut into chunks, embedded, found again and cited."""
