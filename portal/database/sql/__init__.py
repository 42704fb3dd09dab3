"""SQL expressions: excerpts of long texts, exact sums, versions, IN lists."""
