package preflight

import (
	"fmt"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The script knocks at ports of this machine, for real: one that listens, one
// that does not, and one for UDP, where a datagram must come that fills a packet.
func TestKnockSaysWhatCameOfIt(t *testing.T) {
	open, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	shut, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	shut.Close()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	silent := listenWithoutAnswer(t)
	port := func(a net.Addr, protocol string) string {
		_, number, _ := net.SplitHostPort(a.String())
		return number + "/" + protocol
	}
	openPort, shutPort := port(open.Addr(), "tcp"), port(shut.Addr(), "tcp")
	out, err := exec.Command("bash", "-c", knockScript, "knock", "mark", "node-1", "127.0.0.1", "9000",
		openPort, shutPort, silent, port(udp.LocalAddr(), "udp")).CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	k, err := readKnocked(string(out))
	if err != nil {
		t.Fatalf("%v in\n%s", err, out)
	}
	if k.tcp[openPort] != "open" || k.tcp[shutPort] != "refused Connection refused" || k.tcp[silent] != "silent" || k.link < 1500 {
		t.Errorf("got %+v", k)
	}
	sizes := map[string]int{}
	udp.SetReadDeadline(time.Now().Add(time.Second))
	for buffer := make([]byte, 65536); ; {
		n, _, err := udp.ReadFrom(buffer)
		if err != nil {
			break
		}
		sizes[strings.TrimRight(string(buffer[:n]), " \n")] = n
	}
	if want := "map[mark node-1 small:18 mark node-1 whole:8972]"; fmt.Sprint(sizes) != want {
		t.Errorf("arrived %v, want %s", sizes, want)
	}
}

// listenWithoutAnswer returns a port, as 7946/tcp, at which the kernel leaves
// connections without an answer, as a firewall that drops them does: the queue
// of those that nobody has accepted is full.
func listenWithoutAnswer(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	number := name.(*syscall.SockaddrInet4).Port
	for {
		conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", number), 200*time.Millisecond)
		if err != nil {
			return fmt.Sprintf("%d/tcp", number)
		}
		t.Cleanup(func() { conn.Close() })
	}
}
