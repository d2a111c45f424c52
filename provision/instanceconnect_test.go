package provision

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/rmqprov/rmqprov/provision/plan"
	"github.com/rmqprov/rmqprov/provision/sim"
)

// connector is EC2 Instance Connect: it takes keys for instances.
type connector struct {
	mu     sync.Mutex
	pushed map[string][]string // by instance: keys in their wire form
	denies bool
}

func (c *connector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct{ InstanceId, InstanceOSUser, SSHPublicKey string }
	err := json.NewDecoder(r.Body).Decode(&in)
	key, _, _, _, keyErr := ssh.ParseAuthorizedKey([]byte(in.SSHPublicKey))
	c.mu.Lock()
	defer c.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if c.denies || err != nil || keyErr != nil || in.InstanceOSUser != "ec2-user" {
		w.Header().Set("X-Amzn-ErrorType", "AccessDeniedException")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"Message": "not authorized"}`)
		return
	}
	c.pushed[in.InstanceId] = append(c.pushed[in.InstanceId], string(key.Marshal()))
	fmt.Fprint(w, `{"RequestId": "1", "Success": true}`)
}

// has says whether a key was the last that was pushed to an instance.
func (c *connector) has(instance string, key ssh.PublicKey) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	keys := c.pushed[instance]
	return len(keys) > 0 && keys[len(keys)-1] == string(key.Marshal())
}

func TestLoginsByInstanceConnect(t *testing.T) {
	c := &connector{pushed: map[string][]string{}}
	s := httptest.NewServer(c)
	defer s.Close()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_EC2_INSTANCE_CONNECT": s.URL, "AWS_REGION": "ap-southeast-1",
		"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
	} {
		t.Setenv(name, value)
	}
	var hosts []*sim.Host
	for i := range 3 {
		h := sound(t, i)
		h.LetIn = func(key ssh.PublicKey) bool { return c.has(fmt.Sprintf("i-%08d", i), key) }
		hosts = append(hosts, h)
	}
	inv := fleet(t, hosts)
	inv.SSH.InstanceConnect = true
	for i := range inv.Hosts {
		inv.Hosts[i].InstanceID = fmt.Sprintf("i-%08d", i)
	}
	observed := func() map[string]error {
		session, err := Open(inv, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		got, err := session.Observe(t.Context(), plan.Want{Inventory: inv})
		if err != nil {
			t.Fatal(err)
		}
		errs := map[string]error{}
		for name, h := range got.Hosts {
			errs[name] = h.Facts.Err
		}
		return errs
	}
	for name, err := range observed() {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for instance, keys := range c.pushed {
		if len(keys) != 1 {
			t.Errorf("%d keys were pushed to %s for one login", len(keys), instance)
		}
	}
	c.denies = true
	for name, err := range observed() {
		if err == nil || !strings.Contains(err.Error(), "AWS denies ec2-instance-connect:SendSSHPublicKey") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
