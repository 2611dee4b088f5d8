"""Guest images: two that are built here (`tiny`, `debian`), and well-known ones that are downloaded (`download`)."""
