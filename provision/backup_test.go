package provision

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/swarm"

	"github.com/rmqprov/rmqprov/playbooks"
	"github.com/rmqprov/rmqprov/provision/plan"
)

func aBackup() *Backup {
	return &Backup{
		About:   BackupInfo{Format: backupFormat, Cluster: "rmq", Time: time.Unix(1_800_000_000, 0).UTC(), By: "me@here", Version: "v1"},
		Swarm:   SwarmObjects{Nodes: []swarm.NodeSpec{{Role: swarm.NodeRoleManager}}},
		Secrets: map[string]map[string]string{"db": {"cookie": "of-Old"}},
		Data:    map[string][]byte{"db/definitions": []byte("what it holds")},
		Files:   map[string][]byte{"prod.hcl": []byte("cluster")},
	}
}

func key(t *testing.T) *age.X25519Identity {
	t.Helper()
	k, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestABackupIsReadAgainByItsKeyAlone(t *testing.T) {
	mine, other := key(t), key(t)
	var file bytes.Buffer
	if err := aBackup().Write(&file, mine.Recipient()); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"of-Old", "what it holds", "definitions", "cookie"} {
		if strings.Contains(file.String(), secret) {
			t.Errorf("%q can be read in the file", secret)
		}
	}
	got, err := ReadBackup(bytes.NewReader(file.Bytes()), mine)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(aBackup(), got); diff != "" {
		t.Error(diff)
	}
	if _, err := ReadBackup(bytes.NewReader(file.Bytes()), other); err == nil || !strings.Contains(err.Error(), "another key") {
		t.Errorf("with another key: %v", err)
	}
	if _, err := ReadBackup(bytes.NewReader(file.Bytes()[:file.Len()-20]), mine); err == nil {
		t.Error("a file that is cut short is read")
	}
	changed := bytes.Clone(file.Bytes())
	changed[len(changed)-30] ^= 1
	if _, err := ReadBackup(bytes.NewReader(changed), mine); err == nil {
		t.Error("a file that was changed is read")
	}
}

func TestWithSecretsFillsOnlyThoseThatWouldBeGenerated(t *testing.T) {
	want := plan.Want{Stacks: []playbooks.Stack{{Name: "db", Secrets: []playbooks.Secret{
		{Name: "cookie", Generate: 8}, {Name: "new", Generate: 8}, {Name: "given", Value: "by-Me"},
	}}}}
	got := aBackup().WithSecrets(want).Stacks[0].Secrets
	if got[0].Value != "of-Old" || got[1].Value != "" || got[2].Value != "by-Me" {
		t.Errorf("got %v", got)
	}
	if want.Stacks[0].Secrets[0].Value != "" {
		t.Error("what was wanted is changed")
	}
}
