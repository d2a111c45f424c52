cluster "rmq" {}

host "node-1" { address = "10.0.0.11" }

<<<<<<< HEAD
ssh { user = "ec2-user" }
=======
ssh { user = "admin" }
>>>>>>> theirs
