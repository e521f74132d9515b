"""Train one network for many vision tasks when every image is labelled for only some of them."""

__version__ = "0.1.0"
