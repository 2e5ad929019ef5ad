"""Documents of many formats as text that knows its pages, headings and tables."""
