"""Files of history: read line by line, with the files that lines name beside them."""
