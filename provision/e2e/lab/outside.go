package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Get asks for a page as a browser would, and returns its status and content. Without a user no
// credentials are sent.
func Get(ctx context.Context, url, user, password string) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	if user != "" {
		req.SetBasicAuth(user, password)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}

func getJSON(ctx context.Context, url, user, password string, into any) error {
	status, body, err := Get(ctx, url, user, password)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("%s: status %d: %s", url, status, body)
	}
	return json.Unmarshal(body, into)
}

// ConsulPeers asks the Consul server of a host who leads and who votes.
func ConsulPeers(ctx context.Context, h Host) (leader string, peers []string, err error) {
	base := "http://" + h.Address + ":8500/v1/status/"
	if err := getJSON(ctx, base+"leader", "", "", &leader); err != nil {
		return "", nil, err
	}
	err = getJSON(ctx, base+"peers", "", "", &peers)
	return leader, peers, err
}

// RunningMembers asks RabbitMQ's HTTP API, through the HAProxy of a host, which members run.
func RunningMembers(ctx context.Context, h Host, password string) ([]string, error) {
	var nodes []struct {
		Name    string `json:"name"`
		Running bool   `json:"running"`
	}
	if err := getJSON(ctx, "http://"+h.Address+":15672/api/nodes", "admin", password, &nodes); err != nil {
		return nil, err
	}
	var running []string
	for _, n := range nodes {
		if n.Running {
			running = append(running, n.Name)
		}
	}
	slices.Sort(running)
	return running, nil
}

// Views asks each RabbitMQ member of the lab, on its own host, which members it sees running.
func (l *Lab) Views(ctx context.Context) (map[string]string, error) {
	const ask = `id=$(docker ps -q -f name=rabbitmq_rabbitmq- | head -n 1)
docker exec -i "$id" bash -c 'ulimit -Sn 1024; exec rabbitmqctl -q eval "lists:sort(rabbit_nodes:list_running())."' </dev/null
`
	views := map[string]string{}
	for _, h := range l.hosts {
		out, err := l.Root(ctx, h.Name, ask)
		if err != nil {
			return nil, err
		}
		views[h.Name] = strings.Join(strings.Fields(out), "")
	}
	return views, nil
}

// servers is how many of the lab's hosts hold a server of Consul: the first ones.
const servers = 3

// memberNames are RabbitMQ's members when each of the lab's hosts holds one.
func (l *Lab) memberNames() []string {
	var names []string
	for i := range l.hosts {
		names = append(names, fmt.Sprintf("rabbitmq-%02d", i+1))
	}
	return names
}

// Whole is nil when the member on each of the lab's hosts sees those of all running, and Consul
// has a leader and three peers in the eyes of each of its servers.
func (l *Lab) Whole(ctx context.Context) error {
	views, err := l.Views(ctx)
	if err != nil {
		return err
	}
	want := "['rabbit@" + strings.Join(l.memberNames(), "','rabbit@") + "']"
	for host, view := range views {
		if view != want {
			return fmt.Errorf("the member on %s sees %s running, not all", host, view)
		}
	}
	for _, h := range l.hosts[:min(servers, len(l.hosts))] {
		leader, peers, err := ConsulPeers(ctx, h)
		if err != nil {
			return err
		}
		if leader == "" || len(peers) != servers {
			return fmt.Errorf("the Consul server of %s: leader %q, peers %v", h.Name, leader, peers)
		}
	}
	return nil
}

// Relay publishes a message with confirm through one host and consumes it through another. The
// queue is declared without a type, and returned with the type that it got.
func Relay(ctx context.Context, from, to Host, password, queue string) (queueType string, err error) {
	in, err := dialAMQP(from, "admin", password)
	if err != nil {
		return "", err
	}
	defer in.Close()
	out, err := dialAMQP(to, "admin", password)
	if err != nil {
		return "", err
	}
	defer out.Close()
	if err := publish(ctx, in, queue); err != nil {
		return "", fmt.Errorf("publishing through %s: %w", from.Name, err)
	}
	if err := consume(ctx, out, queue); err != nil {
		return "", fmt.Errorf("consuming through %s: %w", to.Name, err)
	}
	var declared struct{ Type string }
	if err := getJSON(ctx, "http://"+to.Address+":15672/api/queues/%2F/"+queue, "admin", password, &declared); err != nil {
		return "", err
	}
	return declared.Type, deleteQueue(in, queue)
}

// Keep publishes messages with confirm, through a host, to a durable queue that is declared without
// a type.
func Keep(ctx context.Context, h Host, password, queue string, messages int) error {
	conn, err := dialAMQP(h, "admin", password)
	if err != nil {
		return err
	}
	defer conn.Close()
	for range messages {
		if err := publish(ctx, conn, queue); err != nil {
			return fmt.Errorf("publishing through %s: %w", h.Name, err)
		}
	}
	return nil
}

// Kept consumes, through a host, as many messages as Keep published. There must be no more.
func Kept(ctx context.Context, h Host, password, queue string, messages int) error {
	conn, err := dialAMQP(h, "admin", password)
	if err != nil {
		return err
	}
	defer conn.Close()
	for i := range messages {
		if err := consume(ctx, conn, queue); err != nil {
			return fmt.Errorf("message %d through %s: %w", i+1, h.Name, err)
		}
	}
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	left, err := ch.QueueDelete(queue, false, false, false)
	if err == nil && left > 0 {
		err = fmt.Errorf("there are %d messages more than were published", left)
	}
	return err
}

func dialAMQP(h Host, user, password string) (*amqp.Connection, error) {
	config := amqp.Config{SASL: []amqp.Authentication{&amqp.PlainAuth{Username: user, Password: password}}, Dial: amqp.DefaultDial(10 * time.Second)}
	conn, err := amqp.DialConfig("amqp://"+h.Address+":5672/", config)
	if err != nil {
		return nil, fmt.Errorf("AMQP through %s as %s: %w", h.Name, user, err)
	}
	return conn, nil
}

// Login is nil when RabbitMQ lets a user in through the HAProxy of a host.
func Login(h Host, user, password string) error {
	conn, err := dialAMQP(h, user, password)
	if err != nil {
		return err
	}
	return conn.Close()
}

func publish(ctx context.Context, conn *amqp.Connection, queue string) error {
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	defer ch.Close()
	if err := ch.Confirm(false); err != nil {
		return err
	}
	if _, err := ch.QueueDeclare(queue, true, false, false, false, nil); err != nil {
		return err
	}
	confirm, err := ch.PublishWithDeferredConfirm("", queue, true, false,
		amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(queue)})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	acked, err := confirm.WaitContext(ctx)
	if err == nil && !acked {
		err = errors.New("the broker refused the message")
	}
	return err
}

func consume(ctx context.Context, conn *amqp.Connection, queue string) error {
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	defer ch.Close()
	// Without a bound, all messages that wait come at once and go back when the channel
	// closes: after twenty times a quorum queue drops a message.
	if err := ch.Qos(1, 0, false); err != nil {
		return err
	}
	deliveries, err := ch.ConsumeWithContext(ctx, queue, "", false, false, false, false, nil)
	if err != nil {
		return err
	}
	select {
	case d := <-deliveries:
		if string(d.Body) != queue {
			return fmt.Errorf("got %q, not the message", d.Body)
		}
		return d.Ack(false)
	case <-time.After(15 * time.Second):
		return errors.New("no message within 15 s")
	}
}

func deleteQueue(conn *amqp.Connection, queue string) error {
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	defer ch.Close()
	_, err = ch.QueueDelete(queue, false, false, false)
	return err
}
