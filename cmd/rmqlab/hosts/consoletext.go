package hosts

import (
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
)

// ConsoleOutput is what a host's serial console shows after its first boot, as cloud-init and
// its helper write it: the fingerprints through syslog, then the host keys themselves.
func ConsoleOutput(h Host) (string, error) {
	name := "ip-" + strings.ReplaceAll(h.Address.String(), ".", "-")
	var prints, keys strings.Builder
	for _, line := range h.HostKeys {
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil {
			return "", fmt.Errorf("host key of %s: %w", h.Name, err)
		}
		bits, kind := keyKind(key)
		fmt.Fprintf(&prints, "ec2: %d %s root@%s (%s)\n", bits, ssh.FingerprintSHA256(key), name, kind)
		fmt.Fprintf(&keys, "%s root@%s\n", line, name)
	}
	const hashes = "ec2: #############################################################\n"
	return "[    0.000000] Linux version (lab host)\n" +
		"[    2.511412] cloud-init[1]: Cloud-init running 'modules:final'\n" +
		"ec2: \n" + hashes +
		"ec2: -----BEGIN SSH HOST KEY FINGERPRINTS-----\n" + prints.String() +
		"ec2: -----END SSH HOST KEY FINGERPRINTS-----\n" + hashes +
		"-----BEGIN SSH HOST KEY KEYS-----\n" + keys.String() +
		"-----END SSH HOST KEY KEYS-----\n" +
		"[    2.903271] cloud-init[1]: Cloud-init finished\n" +
		"\n" + name + " login: ", nil
}

func keyKind(key ssh.PublicKey) (bits int, kind string) {
	if key.Type() == ssh.KeyAlgoED25519 {
		return 256, "ED25519"
	}
	return 256, "ECDSA" // the lab makes P-256 keys only
}
