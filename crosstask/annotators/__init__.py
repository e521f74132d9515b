"""Several annotators of one image: how far they agree, and one label made of theirs."""
