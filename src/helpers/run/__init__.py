"""Running notebooks: parameters that are checked, runs that are proven, a book that is built from them."""
