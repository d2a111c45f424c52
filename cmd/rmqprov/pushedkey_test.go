package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/provision/cloud"
)

// The key that EC2 lets in is the only one that the agent of `rmqprov ssh` has,
// and nobody else reaches that agent.
func TestKeyPushedForSSH(t *testing.T) {
	var pushed struct{ InstanceId, InstanceOSUser, SSHPublicKey string }
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&pushed); err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		fmt.Fprint(w, `{"RequestId": "1", "Success": true}`)
	}))
	defer s.Close()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": s.URL, "AWS_REGION": "ap-southeast-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		t.Setenv(name, value)
	}
	a := &app{cloud: cloud.New(&inventory.Inventory{})}
	made, err := a.pushKey(t.Context(), inventory.SSH{User: "ec2-user"}, inventory.Host{Name: "node-1", InstanceID: "i-1"})
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(made.dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%s: %v, %v", made.dir, info.Mode(), err)
	}
	conn, err := net.Dial("unix", made.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := agent.NewClient(conn).List()
	if err != nil || len(keys) != 1 {
		t.Fatalf("the agent has %v, %v", keys, err)
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(pushed.SSHPublicKey))
	if err != nil || string(key.Marshal()) != string(keys[0].Blob) || pushed.InstanceId != "i-1" || pushed.InstanceOSUser != "ec2-user" {
		t.Errorf("pushed was %+v, and the agent has %s", pushed, keys[0])
	}
	if err := made.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(made.dir); !os.IsNotExist(err) {
		t.Errorf("left behind: %s", made.dir)
	}
}

// ssh is told to use that agent, and no key of the inventory beside it.
func TestArgumentsForAPushedKey(t *testing.T) {
	made, err := startKeyAgent()
	if err != nil {
		t.Fatal(err)
	}
	defer made.Close()
	got := strings.Join(append(made.arguments(), sshArguments(inventory.SSH{User: "ec2-user", Identity: "key", InstanceConnect: true}, inventory.Host{Address: "10.0.0.1"})...), " ")
	want := fmt.Sprintf("-o IdentityAgent=%q -o IdentitiesOnly=no -l ec2-user 10.0.0.1", made.listener.Addr())
	if got != want {
		t.Errorf("ssh %s\nwant %s", got, want)
	}
}
