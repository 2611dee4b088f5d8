"""Networks: what ports of one broadcast domain share."""
