"""Knowledge bases of type SQL: questions as queries of a database that is only read."""
