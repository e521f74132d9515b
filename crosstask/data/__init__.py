"""Tables of files, typed targets, transforms and loading."""
