# Everything here runs on a fresh Debian 12 or 13 machine, as root: each target installs what it
# misses from the machine's own package repositories. .ci/go is the go command, brought if need be.

GO    := .ci/go
DIRS  := cmd inventory playbooks provision
FONTS := /usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf:fonts-liberation /usr/share/fonts/truetype/dejavu/DejaVuSansMono-Bold.ttf:fonts-dejavu
TESTS := gcc /usr/include/stdlib.h:libc6-dev ssh-keygen:openssh-client chromium $(FONTS)

.PHONY: build demo test test-unit test-lab lint bench fuzz soak chaos clean help

build: ## bin/rmqprov, bin/rmqlab and bin/rmqbench
	@echo "==> build: bin/rmqprov, bin/rmqlab and bin/rmqbench"
	@$(GO) build -trimpath -ldflags '-s -w' -o bin/ ./cmd/rmqprov ./cmd/rmqlab ./cmd/rmqbench

demo: ## three bare hosts, a RabbitMQ cluster on them, and the proof
	@.ci/demo

test: test-unit test-lab ## all tests: unit, command line, and the lab end to end

test-unit: ## formatting, vet, and all tests that need no lab
	@.ci/need $(TESTS)
	@echo "==> test-unit: gofmt"
	@unformatted=$$("$$($(GO) env GOROOT)/bin/gofmt" -l $(DIRS)); \
	if [ -n "$$unformatted" ]; then echo "not as gofmt writes it: $$unformatted" >&2; exit 1; fi
	@echo "==> test-unit: go vet"
	@$(GO) vet -tags lab,chaos ./...
	@echo "==> test-unit: go test -race"
	@GORACE=atexit_sleep_ms=50 $(GO) test -race ./...

test-lab: build ## the lab end to end: debian13, then amzn2023 + amzn2 + debian12
	@echo "==> test-lab: real hosts on this machine; minutes, and more the first time"
	@$(GO) test -tags lab -count=1 -timeout 20m ./provision/cloud
	@$(GO) test -tags lab -count=1 -timeout 80m -v ./provision/e2e

.PHONY: test-kill
test-kill: build ## kill rmqprov at a sample of all boundaries, chosen by KILL_SEED (1), or at every one with KILL=all; then while Docker restarts, cut power and network, take the lock away, and interrupt
	@echo "==> test-kill: real hosts on this machine; half an hour on a quiet one, two at the most; hours with KILL=all"
	@$(GO) test -tags lab,chaos -count=1 -timeout $(if $(filter all,$(KILL)),24h,2h) -v -run StopAnywhere ./provision/e2e -kill-seed $${KILL_SEED:-1} $(if $(filter all,$(KILL)),-kill-all)

lint: ## staticcheck, and govulncheck where its database can be had
	@echo "==> lint: staticcheck"
	@$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 -tags lab,chaos ./...
	@echo "==> lint: govulncheck"
	@.ci/vulnerabilities

.PHONY: release reproducible
release: ## dist/: binaries for six platforms, deb and rpm packages, SBOMs, checksums
	@.ci/release

reproducible: ## the release twice, and the proof that both are the same
	@.ci/reproducible

bench: build ## a thousand simulated hosts, and a cluster against a hand-tuned parallel script
	@echo "==> bench: 10 to 1,000 simulated hosts observed and planned"
	@$(GO) test -run '^$$' -bench . -benchtime 3x ./provision
	@echo "==> bench: a cluster on real hosts"
	@bin/rmqbench run

fuzz: ## feed every parser nonsense, FUZZ_TIME (10m) each
	@for target in inventory:FuzzLoad inventory:FuzzEvaluate playbooks:FuzzPlaybook playbooks:FuzzStack \
		provision/state:FuzzParseFacts provision/remote:FuzzKnownHosts provision/cloud:FuzzParseConsole; do \
		echo "==> fuzz: $$target"; \
		$(GO) test ./$${target%%:*} -run '^$$' -fuzz "^$${target#*:}\$$" -fuzztime $${FUZZ_TIME:-10m} -fuzzminimizetime 2s -parallel 1 || exit 1; \
	done

soak: build ## form the cluster fresh SOAK_RUNS times (20), with slow first members among them
	@bin/rmqbench soak --runs $${SOAK_RUNS:-20}

chaos: build ## the worst days, replacements and rolling changes, under load, ROUNDS times (3); hours
	@rm -f .lab/days.jsonl
	@ROUNDS=$${ROUNDS:-3} $(GO) test -tags lab,chaos -count=1 -timeout 24h -v -run 'UnderLoad|WorstDays|BackupAndRestore|ForcedQuorumLoss' ./provision/e2e; \
	status=$$?; bin/rmqlab days .lab/days.jsonl docs/survival.md; exit $$status

.PHONY: reference
reference: ## docs/reference anew, from the code
	@echo "==> reference: docs/reference"
	@$(GO) test -count=1 -run ReferenceIsFresh ./cmd/rmqprov -update

clean: ## take the labs away, and what build made; the lab's images stay in its cache
	@echo "==> clean"
	@if [ -x bin/rmqlab ]; then bin/rmqlab down; fi
	@rm -rf bin dist

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12
