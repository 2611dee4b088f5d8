"""Resource providers: whatever can hold consumers, in trees."""
