"""Generated parts of the documents: English node texts, tables of nodes, inputs and outputs."""
