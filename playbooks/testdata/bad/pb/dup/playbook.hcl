playbook "dup" {
  input "a" { default = 1 }
  input "a" { default = 2 }
  gate "up" { exec = ["true"] }
  gate "up" { exec = ["true"] }
}
