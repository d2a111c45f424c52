# Values for several inventories.
name   = "from a"
number = 5
