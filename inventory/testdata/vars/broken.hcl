name = "hunter2
