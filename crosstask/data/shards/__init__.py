"""Tables packed into tar files (WebDataset), read at random by where their members lie."""
