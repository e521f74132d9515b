"""A trained network behind HTTP: pictures in, named values out. The server holds no network: workers do, processes of
their own that may die without a request being answered wrongly."""
