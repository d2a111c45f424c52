//go:build lab

package cloud

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/rmqprov/rmqprov/cmd/rmqlab/engine"
	"github.com/rmqprov/rmqprov/cmd/rmqlab/services"
	"github.com/rmqprov/rmqprov/inventory"
)

const (
	region      = "ap-southeast-1"
	otherRegion = "eu-west-1"
)

// lab is the emulator's container, on a loopback address of its own.
var lab services.Lab

// emulator starts the lab's EC2 once for all tests.
var emulator = sync.OnceValues(func() (*services.EC2, error) {
	ctx := context.Background()
	e, err := engine.Start(ctx, engine.Options{})
	if err != nil {
		return nil, err
	}
	lab = services.Lab{Engine: e, Name: "cloudtest", Gateway: netip.MustParseAddr("127.77.0.1")}
	return lab.EC2(ctx, region)
})

func TestMain(m *testing.M) {
	code := m.Run()
	if lab.Engine != nil {
		if err := lab.Stop(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// wire stands between the SDK and the emulator. It counts calls, and answers
// some of them itself, as AWS would.
type wire struct {
	*httptest.Server

	page   string // what MaxResults is made on the way, "" to leave it
	mu     sync.Mutex
	calls  map[string]int
	faults map[string]*fault // by action
}

// fault is an answer of AWS's.
type fault struct {
	status        int
	code, message string
	times         int // how often; less than 0: always
}

// connected points the SDK at the emulator, through a wire.
func connected(t *testing.T) (*wire, *services.EC2) {
	t.Helper()
	moto, err := emulator()
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(moto.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{calls: map[string]int{}, faults: map[string]*fault{}}
	proxy := httputil.NewSingleHostReverseProxy(target)
	// A connection that the emulator just closes fails a call, and the SDK then makes its instances twice.
	proxy.Transport = &http.Transport{DisableKeepAlives: true}
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if f := w.note(r); f != nil {
			f.write(rw)
			return
		}
		proxy.ServeHTTP(rw, r)
	}))
	t.Cleanup(w.Close)
	t.Setenv("AWS_ENDPOINT_URL", w.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "lab")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "lab")
	t.Setenv("AWS_REGION", region)
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	return w, moto
}

// note counts a call, and returns what to answer in the emulator's place.
func (w *wire) note(r *http.Request) *fault {
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	action := form.Get("Action")
	if w.page != "" && form.Has("MaxResults") {
		form.Set("MaxResults", w.page)
		body = []byte(form.Encode())
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls[action]++
	f := w.faults[action]
	if f == nil || f.times == 0 {
		return nil
	}
	f.times--
	return f
}

func (f *fault) write(rw http.ResponseWriter) {
	rw.WriteHeader(f.status)
	fmt.Fprintf(rw, `<Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors><RequestID>1</RequestID></Response>`, f.code, f.message)
}

// fail makes AWS answer an action with an error, so many times.
func (w *wire) fail(action, code, message string, times int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	status := http.StatusBadRequest
	switch code {
	case "UnauthorizedOperation":
		status = http.StatusForbidden
	case "RequestLimitExceeded", "Unavailable":
		status = http.StatusServiceUnavailable
	}
	w.faults[action] = &fault{status, code, message, times}
}

func (w *wire) count(action string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls[action]
}

// account makes things in the emulator by the SDK, past rmqprov.
type account struct {
	t *testing.T
	*ec2.Client
}

func in(t *testing.T, region string) account {
	t.Helper()
	client, _, err := New(&inventory.Inventory{}).client(t.Context(), region)
	if err != nil {
		t.Fatal(err)
	}
	return account{t, client}
}

// vpc makes a VPC with one subnet, so that tests do not meet.
func (a account) vpc() (vpc, subnet string) {
	a.t.Helper()
	const cidr = "10.90.0.0/16"
	v, err := a.CreateVpc(a.t.Context(), &ec2.CreateVpcInput{CidrBlock: aws.String(cidr)})
	if err != nil {
		a.t.Fatal(err)
	}
	s, err := a.CreateSubnet(a.t.Context(), &ec2.CreateSubnetInput{VpcId: v.Vpc.VpcId, CidrBlock: aws.String(cidr)})
	if err != nil {
		a.t.Fatal(err)
	}
	return *v.Vpc.VpcId, *s.Subnet.SubnetId
}

// run starts instances with tags, and terminates them when the test ends.
func (a account) run(n int, subnet string, tags map[string]string) []string {
	a.t.Helper()
	var list []types.Tag
	for k, v := range tags {
		list = append(list, types.Tag{Key: aws.String(k), Value: aws.String(v)})
	}
	out, err := a.RunInstances(a.t.Context(), &ec2.RunInstancesInput{
		MinCount: aws.Int32(int32(n)), MaxCount: aws.Int32(int32(n)), ImageId: aws.String("ami-00000000000000000"),
		InstanceType: types.InstanceTypeT3Small, SubnetId: aws.String(subnet),
		TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeInstance, Tags: list}},
	})
	if err != nil {
		a.t.Fatal(err)
	}
	var ids []string
	for _, i := range out.Instances {
		ids = append(ids, *i.InstanceId)
	}
	a.t.Cleanup(func() {
		if _, err := a.TerminateInstances(context.Background(), &ec2.TerminateInstancesInput{InstanceIds: ids}); err != nil {
			a.t.Error(err)
		}
	})
	return ids
}
