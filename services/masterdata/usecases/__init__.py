"""One module per thing that masterdata does."""
