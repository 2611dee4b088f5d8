"""Images: their rows, their states, their patches, their bytes."""
