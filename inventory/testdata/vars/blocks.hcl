name = upper("x")
block {}
