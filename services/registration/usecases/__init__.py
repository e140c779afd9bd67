"""One module per thing that registration does."""
