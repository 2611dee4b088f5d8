"""What a guest may learn about itself: the pages (`documents`), and the server at 169.254.169.254 (`server`)."""
