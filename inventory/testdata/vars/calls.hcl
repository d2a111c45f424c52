name = upper("x")
other = 1
