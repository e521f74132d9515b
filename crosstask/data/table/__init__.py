"""Tables of files: cells, names, ids, and the files tables are kept in."""
