"""What several services use; one module per thing it gives."""
