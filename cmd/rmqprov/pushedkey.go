package main

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/rmqprov/rmqprov/inventory"
)

// keyAgent is an ssh-agent with one key, which was made for it and is in no
// file. Only this user can reach it.
type keyAgent struct {
	listener net.Listener
	dir      string
	key      ssh.PublicKey
}

func startKeyAgent() (*keyAgent, error) {
	_, private, err := ed25519.GenerateKey(nil) // from crypto/rand
	if err != nil {
		return nil, err
	}
	public, err := ssh.NewPublicKey(private.Public())
	if err != nil {
		return nil, err
	}
	ring := agent.NewKeyring()
	if err := ring.Add(agent.AddedKey{PrivateKey: private, Comment: "rmqprov"}); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "rmqprov-") // for its owner only
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("unix", filepath.Join(dir, "agent"))
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	go serveAgent(listener, ring)
	return &keyAgent{listener, dir, public}, nil
}

// serveAgent answers until the listener is closed.
func serveAgent(listener net.Listener, ring agent.Agent) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			_ = agent.ServeAgent(ring, conn) // it ends when ssh hangs up, which it calls an error
		}()
	}
}

// arguments tell OpenSSH's ssh to use the agent's key, whatever ssh_config says.
func (k *keyAgent) arguments() []string {
	return []string{"-o", "IdentityAgent=" + strconv.Quote(k.listener.Addr().String()), "-o", "IdentitiesOnly=no"}
}

func (k *keyAgent) Close() error {
	return errors.Join(k.listener.Close(), os.RemoveAll(k.dir))
}

// pushKey lets a key log in to a host once, through EC2 Instance Connect, and
// returns the agent that has it. Whoever calls it closes it.
func (a *app) pushKey(ctx context.Context, common inventory.SSH, h inventory.Host) (*keyAgent, error) {
	if runtime.GOOS == "windows" {
		return nil, fmt.Errorf("host %s: on Windows ssh cannot be given a key that was made for one login\n→ `aws ec2-instance-connect ssh --instance-id %s` logs in there", h.Name, h.InstanceID)
	}
	made, err := startKeyAgent()
	if err != nil {
		return nil, fmt.Errorf("host %s: making a key to log in with: %w", h.Name, err)
	}
	if err := a.cloud.PushKey(ctx, h, cmp.Or(h.User, common.User), made.key); err != nil {
		return nil, errors.Join(err, made.Close())
	}
	return made, nil
}
