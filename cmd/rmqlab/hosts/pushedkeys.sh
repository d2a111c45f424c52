#!/bin/bash
# What Amazon's package ec2-instance-connect does: sshd asks it for the keys that were pushed to this
# instance for user $1. The metadata is where all that serves the lab is, at the gateway. A bare host has
# no curl.
gateway=$(ip -4 route show default | cut -d ' ' -f 3)
exec 3<>"/dev/tcp/$gateway/5001" || exit 1
printf 'GET /latest/meta-data/managed-ssh-keys/active-keys/%s HTTP/1.0\r\n\r\n' "$1" >&3
sed '1,/^\r$/d' <&3 # what comes after the head
