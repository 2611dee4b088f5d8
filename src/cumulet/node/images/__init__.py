"""The images of a node: fetched once, by digest, judged again, and kept while there is room."""
