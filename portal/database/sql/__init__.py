"""SQL expressions and statements: excerpts of long texts, exact sums, versions, IN lists, bulk writes."""
