"""SQL expressions: excerpts of long texts, exact sums, versions, chunked IN lists."""
