"""What an author takes away."""
