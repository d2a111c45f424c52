package provision

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/provision/sim"
)

// fleetOf is the variable that makes the test binary a process of so many
// simulated hosts, whose memory and work are then not the client's.
const fleetOf = "RMQPROV_TEST_FLEET"

func TestMain(m *testing.M) {
	if n, err := strconv.Atoi(os.Getenv(fleetOf)); err == nil {
		if err := serveFleet(n); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// fleetFiles is what a client needs to reach a fleet.
type fleetFiles struct {
	Key, KnownHosts string // files
	Ports           []int
}

// serveFleet serves a swarm of n hosts until its stdin ends. It takes the
// folder of its files from its first line, and answers with where they are.
func serveFleet(n int) error {
	in := bufio.NewReader(os.Stdin)
	var dir string
	if _, err := fmt.Fscanln(in, &dir); err != nil {
		return err
	}
	f, err := sim.NewFleet()
	if err != nil {
		return err
	}
	defer f.Close()
	files := fleetFiles{Key: filepath.Join(dir, "key"), KnownHosts: filepath.Join(dir, "known_hosts")}
	hosts, err := swarmHosts(n)
	if err != nil {
		return err
	}
	for _, h := range hosts {
		if err := f.Start(h); err != nil {
			return err
		}
		files.Ports = append(files.Ports, h.Port())
	}
	if err := errors.Join(f.WriteKey(files.Key), f.WriteKnownHosts(files.KnownHosts), json.NewEncoder(os.Stdout).Encode(files)); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	return err
}

// distantFleet starts a swarm of n simulated hosts in a process of their own,
// and makes an inventory of them.
func distantFleet(t testing.TB, n int) *inventory.Inventory {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), fmt.Sprintf("%s=%d", fleetOf, n))
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
		t.Logf("%d simulated hosts took %s of CPU", n, c.ProcessState.UserTime()+c.ProcessState.SystemTime())
	})
	var files fleetFiles
	fmt.Fprintln(in, t.TempDir())
	if err := json.NewDecoder(out).Decode(&files); err != nil {
		t.Fatal(err)
	}
	return inventoryOf(files)
}

func inventoryOf(files fleetFiles) *inventory.Inventory {
	inv := &inventory.Inventory{
		Cluster: inventory.Cluster{Name: "rmq"}, Docker: inventory.Docker{LogMaxSize: "50m", LogMaxFile: 3},
		SSH: inventory.SSH{User: "ec2-user", Config: "none", HostKeys: "known_hosts", DialTimeout: time.Minute, // the servers share the machine

			Identity: files.Key, KnownHosts: files.KnownHosts},
	}
	for i, port := range files.Ports {
		inv.Hosts = append(inv.Hosts, inventory.Host{Name: hostName(i), Address: "127.0.0.1", Port: port})
	}
	return inv
}
