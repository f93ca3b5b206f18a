"""From YAML to a plan: the document, its schema, the matrix and the cells that it makes."""
