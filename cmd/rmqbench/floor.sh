#!/bin/bash
# Usage: floor.sh DIR ADDRESS...
# The floor that rmqprov is measured against: the same job on bare Debian hosts, as fast as a script
# for this one case can do it. It ends at the same point: Docker, swarm, network and labels, Consul
# with three voters, RabbitMQ with three members, an HAProxy on every host that answers.
#
# DIR holds key, known_hosts, daemon.json and stacks/, the very files that rmqprov leaves on the
# managers. It knows nothing of a host that is not bare, and whatever goes wrong is left as it is.
set -euo pipefail

dir=$1
shift
hosts=("$@")
first=$1
others=("${@:2}")
work=$(mktemp -d)
begin=$EPOCHREALTIME

leave() {
	local host
	for host in "${hosts[@]}"; do on "$host" -O exit 2>/dev/null || true; done
	rm -rf "$work"
}
trap leave EXIT

say() {
	local took=$(((${EPOCHREALTIME/./} - ${begin/./}) / 10000))
	printf '[%3d.%02ds] %s\n' $((took / 100)) $((took % 100)) "$*"
}

# on ADDRESS ARGUMENT...: ssh, over one connection a host.
on() {
	ssh -F none -i "$dir/key" -o IdentitiesOnly=yes -o LogLevel=ERROR \
		-o UserKnownHostsFile="$dir/known_hosts" -o StrictHostKeyChecking=yes \
		-o ControlMaster=auto -o ControlPath="$work/%h" -o ControlPersist=60 \
		"ec2-user@$1" "${@:2}"
}

# root ADDRESS [ARGUMENT...]: runs standard input as a shell script there. It is a function there, so
# that its commands cannot read the rest of it.
root() {
	{ echo 'main() {' && cat && echo '}; main "$@" </dev/null'; } | on "$1" sudo bash -euo pipefail -s -- "${@:2}"
}

# external STACK SECTION KEY: the name of the Docker object that a stack file means by KEY.
external() {
	awk -v section="$2:" -v key="  $3:" '
		/^[^ ]/ { inside = ($0 == section) }
		inside && /^  [^ ]/ { mine = ($0 == key) }
		inside && mine && $1 == "name:" { print $2; exit }' "$dir/stacks/$1/stack.yml"
}

install_docker() {
	root "$1" <<-END
		mkdir -p /etc/docker /etc/rmqprov
		cat >/etc/docker/daemon.json <<'JSON'
		$(cat "$dir/daemon.json")
		JSON
		export DEBIAN_FRONTEND=noninteractive LC_ALL=C
		exec >/dev/null
		apt-get -q -y -o Acquire::Languages=none update
		apt-get -q -y --no-install-recommends install docker.io docker-cli ca-certificates
		systemctl enable --now docker
	END
	tar -C "$dir" -c stacks | on "$1" sudo tar -C /etc/rmqprov -x
	say "$1: Docker is installed"
}

# pull ADDRESS STACK...: the images of the stacks, in that order, in the background of the host.
pull() {
	local stack images=()
	for stack in "${@:2}"; do
		images+=("$(sed -n 's/^ *image: *//p' "$dir/stacks/$stack/stack.yml" | head -n 1)")
	done
	root "$1" "${images[@]}" <<-'END'
		for image; do docker pull -q "$image"; done >/dev/null
	END
	say "$1: pulled ${*:2}"
}

init_swarm() {
	root "$first" "$first" <<-'END' >"$work/token.part"
		docker swarm init --advertise-addr "$1" >/dev/null
		docker node update --label-add rmqprov.slot.consul-01=true "$(docker node ls -q)" >/dev/null
		docker swarm join-token -q manager
	END
	mv "$work/token.part" "$work/token"
	say "$first: swarm init"
}

# join ADDRESS NUMBER: the token goes by standard input.
join() {
	until [[ -e $work/token ]]; do sleep 0.02; done
	root "$1" "$1" "$first" "$2" <<-END
		docker swarm join --advertise-addr "\$1" --token "$(cat "$work/token")" "\$2:2377" >/dev/null
		id=\$(docker info -f '{{.Swarm.NodeID}}')
		until docker node update --label-add "rmqprov.slot.consul-0\$3=true" "\$id" >/dev/null 2>&1; do sleep 0.1; done
	END
	say "$1: joined"
}

# prepare makes what the stacks refer to, and the services of Consul and RabbitMQ. They wait for the
# labels of the hosts that they belong on.
prepare() {
	root "$first" \
		"$(external consul configs consul.hcl)" "$(external consul secrets gossip)" \
		"$(external rabbitmq configs rabbitmq.conf)" "$(external rabbitmq configs enabled_plugins)" \
		"$(external rabbitmq secrets erlang_cookie)" "$(external rabbitmq secrets admin_conf)" "$(external rabbitmq secrets admin_password)" \
		"$(external haproxy configs haproxy.cfg)" "$(external haproxy secrets stats_password)" <<-'END'
		cd /etc/rmqprov/stacks
		exec >/dev/null
		random() { head -c "$1" /dev/urandom | base64 -w 0 | tr '+/' 'ab'; }
		config() { docker config create "$1" "$2" & }
		secret() { docker secret create "$1" - & }
		docker network create --driver overlay --attachable --subnet 10.0.1.0/24 prod &
		config "$1" consul/consul.hcl
		printf '{"encrypt": "%s"}\n' "$(head -c 32 /dev/urandom | base64)" | secret "$2"
		wait
		docker stack deploy -c consul/stack.yml consul &
		config "$3" rabbitmq/rabbitmq.conf
		config "$4" rabbitmq/enabled_plugins
		random 48 | secret "$5"
		password=$(random 24)
		printf 'default_pass = %s\n' "$password" | secret "$6"
		printf '%s' "$password" | secret "$7"
		config "$8" haproxy/haproxy.cfg
		printf "userlist stats\n  user admin insecure-password '%s'\n" "$(random 24)" | secret "$9"
		wait
		docker stack deploy -c rabbitmq/stack.yml rabbitmq
	END
	say "objects and services are made"
}

await_consul() {
	root "$first" <<-'END'
		raft() { { exec 3<>/dev/tcp/127.0.0.1/8500 && printf 'GET /v1/operator/raft/configuration HTTP/1.0\r\n\r\n' >&3 && cat <&3; } 2>/dev/null; }
		until state=$(raft) && [[ $state == *'"Leader":true'* ]] && (($(grep -o '"Voter":true' <<<"$state" | wc -l) == 3)); do
			sleep 0.1
		done
	END
	say "Consul: a leader and three voters"
}

# label ADDRESS SLOT: the host holds the slot, and swarm starts the service that waits for it.
label() {
	root "$1" "rmqprov.slot.$2=true" <<-'END'
		docker node update --label-add "$1" "$(docker info -f '{{.Swarm.NodeID}}')" >/dev/null
	END
}

# form_rabbitmq starts one member after the other: two that join at once can leave one of them with a
# schema that never merges again.
form_rabbitmq() {
	local i
	for i in "${!hosts[@]}"; do
		label "${hosts[i]}" "rabbitmq-0$((i + 1))"
		root "${hosts[i]}" <<-'END'
			until id=$(docker ps -q -f name=rabbitmq_rabbitmq-) && [[ $id ]]; do sleep 0.05; done
			docker exec -i "$id" bash -c 'until (: </dev/tcp/127.0.0.1/5672) 2>/dev/null; do sleep 0.1; done'
		END
	done
	root "$first" <<-'END'
		id=$(docker ps -q -f name=rabbitmq_rabbitmq-)
		docker exec -i "$id" rabbitmqctl -q eval '
			Want = [list_to_atom("rabbit@rabbitmq-0" ++ integer_to_list(N)) || N <- [1, 2, 3]],
			View = fun(Node) -> case rpc:call(Node, rabbit_nodes, list_running, [], 5000) of L when is_list(L) -> lists:sort(L); _ -> no end end,
			Formed = fun(Again) ->
				case [Node || Node <- Want, View(Node) =/= Want] of [] -> ok; _ -> timer:sleep(100), Again(Again) end
			end,
			Formed(Formed).' >/dev/null
		listed() {
			exec 3<>/dev/tcp/127.0.0.1/8500
			printf 'GET /v1/catalog/service/rabbitmq HTTP/1.0\r\n\r\n' >&3
			grep -o '"ServiceAddress":"rabbitmq-' <&3 | wc -l
		}
		until (($(listed) == 3)); do sleep 0.1; done
	END
	say "RabbitMQ: three members, and each sees three"
}

deploy_haproxy() {
	root "$first" <<-'END'
		docker stack deploy -c /etc/rmqprov/stacks/haproxy/stack.yml haproxy >/dev/null
	END
	local host
	for host in "${hosts[@]}"; do background await_haproxy "$host"; done
	finish
	say "HAProxy: a member answers through every host"
}

await_haproxy() {
	root "$1" <<-'END'
		answers() {
			exec 3<>/dev/tcp/127.0.0.1/5672 && printf 'AMQP\0\0\x09\x01' >&3 && read -rn 1 -t 2 -u 3
		}
		until (answers) 2>/dev/null; do sleep 0.1; done
	END
}

# background COMMAND...: beside what follows; its failure ends the script.
background() {
	(
		trap '(($? == 0)) || kill $$' EXIT
		"$@"
	) &
	jobs+=($!)
}

# finish waits for all that runs in the background.
finish() { ((${#jobs[@]} == 0)) || wait "${jobs[@]}"; }

# One line of work a host; what depends on nothing else runs beside it.
member() {
	install_docker "$1"
	if (($2 == 1)); then
		init_swarm
		prepare &
		pull "$1" consul rabbitmq haproxy
		wait $!
	else
		join "$1" "$2"
		pull "$1" consul rabbitmq haproxy
	fi
}

jobs=()
for i in "${!hosts[@]}"; do background member "${hosts[i]}" $((i + 1)); done
until [[ -e $work/token ]]; do sleep 0.05; done
await_consul
form_rabbitmq
deploy_haproxy
