"""References, candidates and the fusion of modalities."""
