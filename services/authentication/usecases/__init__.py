"""What authentication does, one module each; transactions begin and end here."""
