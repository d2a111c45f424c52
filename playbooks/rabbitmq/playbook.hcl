# RabbitMQ: a cluster whose members find each other through Consul.
#
# Works for 4.x and for 3.10 to 3.13; where they differ, local.major and
# local.minor decide, and the comment says why.

playbook "rabbitmq" {
  description = "RabbitMQ cluster discovered through Consul, with quorum queues, management, federation and shovel"

  input "image" {
    type        = string
    default     = "rabbitmq:4.1-management"
    description = "any official image of 3.10 or later, with or without -management"
  }

  input "version" {
    type        = string
    default     = null
    description = "MAJOR.MINOR, where the image's tag does not begin with it"
  }

  input "members" {
    type        = number
    default     = 3
    description = "number of members, one a host"

    validation {
      condition     = input.members >= 1 && input.members % 2 == 1
      error_message = "An even number of members (${input.members}) survives no more failures than one fewer: take 1, 3, 5 or 7."
    }
  }

  input "admin_user" {
    type        = string
    default     = "admin"
    description = "the administrator, made at the first start instead of guest"

    validation {
      condition     = can(regex("^[A-Za-z0-9_.@-]+$", input.admin_user))
      error_message = "Letters, digits and _ . @ - only: the name stands in configuration files."
    }
  }

  input "admin_password" {
    type        = string
    default     = null
    sensitive   = true
    description = "made once when null or empty; see `rmqprov secret`"

    validation {
      condition     = input.admin_password == null || input.admin_password == "" || can(regex("^[^\\s#'\"\\\\$`]+$", input.admin_password))
      error_message = "No spaces, quotes, backslashes, # or $: RabbitMQ's configuration file would end the value there."
    }
  }

  input "vhost" {
    type        = string
    default     = "/"
    description = "the virtual host made at the first start"

    validation {
      condition     = can(regex("^[^\\s#'\"\\\\$`]+$", input.vhost))
      error_message = "No spaces, quotes, backslashes, # or $: the name stands in configuration files."
    }
  }

  input "plugins" {
    type = list(string)
    default = [
      "rabbitmq_management",
      "rabbitmq_prometheus",
      "rabbitmq_federation",
      "rabbitmq_federation_management",
      "rabbitmq_shovel",
      "rabbitmq_shovel_management",
    ]
    description = "plugins besides rabbitmq_peer_discovery_consul, which is always on"
  }

  input "default_queue_type" {
    type        = string
    default     = "quorum"
    description = "type of queues that are declared without one: quorum, classic or stream"

    validation {
      condition     = contains(["quorum", "classic", "stream"], input.default_queue_type)
      error_message = "One of quorum, classic, stream."
    }
  }

  input "ha_policy" {
    type        = string
    default     = null
    description = "3.x only: classic queues whose names match this pattern are mirrored to a second member"
  }

  input "partition_handling" {
    type        = string
    default     = "pause_minority"
    description = "what a member does that sees fewer than half of the others; has no meaning from 4.3 on"

    validation {
      condition     = contains(["pause_minority", "autoheal", "ignore"], input.partition_handling)
      error_message = "One of pause_minority, autoheal, ignore. autoheal throws away what one side accepted."
    }
  }

  input "memory" {
    type        = number
    default     = null
    description = "memory limit of a member's container in MiB; null: none"
  }

  input "watermark" {
    type        = number
    default     = null
    description = "share of the memory at which publishers are stopped; default 0.6 with a memory limit and 0.4 without"

    validation {
      condition     = input.watermark == null ? true : input.watermark > 0 && input.watermark <= 0.7
      error_message = "Between 0 and 0.7: garbage collection can double what a member uses for a moment."
    }
  }

  input "disk_free_limit" {
    type        = string
    default     = "2GB"
    description = "free disk space below which publishers are stopped"
  }

  input "open_files" {
    type        = number
    default     = 65536
    description = "file handles of a member, or the most that its host allows where that is less"
  }

  input "erl_args" {
    type        = string
    default     = "+sbwt none +sbwtdcpu none +sbwtdio none"
    description = "further arguments of the Erlang machine; the default lets idle schedulers sleep"
  }

  input "consul" {
    type        = list(string)
    default     = ["consul-01", "consul-02", "consul-03"]
    description = "Consul servers; member N registers with the Nth, which is on its own host"
  }

  input "enable_feature_flags" {
    type        = bool
    default     = true
    description = "enable all stable feature flags after a change of version: needed before the next one, and the way back is closed then"
  }

  input "network" {
    type        = string
    default     = null
    description = "overlay network; the inventory's first when not given"
  }

  check "network" {
    condition     = length([for n in networks : n if input.network == null || n.name == input.network]) > 0
    error_message = "The members talk over an overlay network: the inventory needs a `network` block${input.network == null ? "" : " named ${input.network}"}."
  }

  check "version" {
    condition     = input.version != null || can(regex(":v?\\d+\\.\\d+", input.image))
    error_message = "The tag of ${input.image} does not tell the version of RabbitMQ, on which the configuration depends: add the input version = \"4.1\"."
  }

  check "mirroring" {
    condition     = input.ha_policy == null || local.major < 4
    error_message = "ha_policy mirrors classic queues, which RabbitMQ 4 can no longer do: use quorum queues, the default."
  }

  locals {
    network = [for n in networks : n.name if input.network == null || n.name == input.network][0]

    version = split(".", input.version != null ? input.version : regex(":v?(\\d+\\.\\d+)", input.image)[0])
    major   = tonumber(local.version[0])
    minor   = tonumber(local.version[1])

    # Mnesia and its partition strategies are gone in 4.3.
    mnesia = local.major < 4 || local.minor < 3

    # The numeric user of the official images; the alpine ones have another.
    uid = strcontains(input.image, "alpine") ? "100" : "999"
    gid = strcontains(input.image, "alpine") ? "101" : "999"

    # A member takes its share of what the container may use, less a fifth (at
    # most 2 GiB) that the Erlang machine needs beside the messages. Without a
    # limit it counts the whole host, where other things run too.
    watermark = input.watermark != null ? input.watermark : input.memory != null ? 0.6 : 0.4
    available = input.memory != null ? floor(input.memory - min(input.memory / 5, 2048)) : null

    disk_free = can(regex("^\\d+GB$", input.disk_free_limit)) ? 954 * tonumber(trimsuffix(input.disk_free_limit, "GB")) : 0

    members = [for s in slots.rabbitmq : "rabbit@${s.name}"]

    # Started in a shell because a container may have 2^30 file handles, for
    # which every Erlang machine, also that of a command, reserves gigabytes.
    cli = "ulimit -Sn 1024; exec"

    # What `rabbitmqctl eval` does, at a third of its work for the processor: a
    # bare Erlang machine has the member itself evaluate the expressions.
    eval = ["bash", "-c", "${local.cli} erl -noinput -hidden -boot start_clean -sname \"rmqprov-$$\" +S 1:1 +sbwt none -eval \"$0\" -extra \"$1\"", <<-EOT
      [_, Host] = string:split(atom_to_list(node()), "@"),
      [Code] = init:get_plain_arguments(),
      {ok, Tokens, _} = erl_scan:string(Code),
      {ok, Expressions} = erl_parse:parse_exprs(Tokens),
      {Out, Text, Status} = case rpc:call(list_to_atom("rabbit@" ++ Host), erl_eval, exprs, [Expressions, []]) of
        {value, Value, _} -> {standard_io, Value, 0};
        {badrpc, {'EXIT', Why}} -> {standard_error, Why, 1};
        {badrpc, Why} -> {standard_error, Why, 1}
      end,
      io:format(Out, "~tp~n", [Text]),
      halt(Status).
    EOT
    ]

    # Pieces of Erlang to be evaluated so; names of functions changed in 3.12.
    nodes = <<-EOT
      Either = fun(Now, Before) ->
        case erlang:function_exported(rabbit_nodes, Now, 0) of true -> Now; false -> Before end
      end,
      Running = Either(list_running, all_running),
      Members = Either(list_members, all),
    EOT

    mirror = ["bash", "-c", <<-EOT
      ulimit -Sn 1024
      exec rabbitmqctl -q set_policy -p "$0" --apply-to queues ha "$1" '{"ha-mode":"exactly","ha-params":2,"ha-sync-mode":"automatic"}'
    EOT
    , input.vhost, coalesce(input.ha_policy, "-")]

    # Brings a member back that was drained. A drain that nobody waits for any more
    # goes on by itself and stops the member's replicas last: it must have ended. It
    # shows on the stack of its process, far down where it waits for others. And a
    # queue that was led here is only revived once it is known to be led elsewhere.
    revive = <<-EOT
      Draining = fun() ->
        Depth = erlang:system_flag(backtrace_depth, 200),
        Pids = [Pid || Pid <- processes(), {_, Calls} <- [process_info(Pid, current_stacktrace)], lists:keymember(rabbit_maintenance, 1, Calls)],
        erlang:system_flag(backtrace_depth, Depth),
        Pids
      end,
      Await = fun(Again, Tries) ->
        case Draining() of
          [_ | _] when Tries > 0 -> timer:sleep(200), Again(Again, Tries - 1);
          _ -> ended
        end
      end,
      Here = fun(Q) ->
        case maps:get(nodes, amqqueue:get_type_state(Q)) of
          Nodes when is_list(Nodes) -> lists:member(node(), Nodes);
          Nodes -> maps:is_key(node(), Nodes)
        end
      end,
      Stopped = fun() ->
        [Q || Q <- rabbit_amqqueue:list_by_type(rabbit_quorum_queue), Here(Q), whereis(element(1, amqqueue:get_pid(Q))) =:= undefined]
      end,
      Revive = fun(Again, Tries) ->
        rabbit_maintenance:revive(),
        case Stopped() of
          [_ | _] when Tries > 0 -> timer:sleep(500), Again(Again, Tries - 1);
          _ -> revived
        end
      end,
      Await(Await, 300),
      rabbit:is_running() andalso rabbit_maintenance:is_being_drained_local_read(node()) andalso Revive(Revive, 60).
    EOT

    # What Consul lists, against what the cluster is: members that run and are
    # not listed, and entries of nodes that are no members.
    listed = <<-EOT
      Consul = fun(Host) -> "http://" ++ Host ++ ":8500/v1/" end,
      Own = Consul(os:getenv("CONSUL_HOST")),
      {ok, {{_, 200, _}, _, Body}} = httpc:request(get, {Own ++ "catalog/service/rabbitmq", []}, [{timeout, 5000}], [{body_format, binary}]),
      Entries = [{binary_to_atom(<<"rabbit@", Address/binary>>, utf8), binary_to_list(Holder), binary_to_list(ID)}
        || #{<<"ServiceAddress">> := Address, <<"Node">> := Holder, <<"ServiceID">> := ID} <- rabbit_json:decode(Body)],
      Missing = rabbit_nodes:Running() -- [Node || {Node, _, _} <- Entries],
      Stale = [Entry || {Node, _, _} = Entry <- Entries, not lists:member(Node, rabbit_nodes:Members())],
    EOT

    # Takes an entry out of the agent that holds it, if that is alive, and then
    # out of the catalog, where a dead agent's entries would stay.
    strike = <<-EOT
      Put = fun(URL, Body) -> httpc:request(put, {URL, [], "application/json", Body}, [{timeout, 5000}, {connect_timeout, 2000}], []) end,
      Strike = fun({_, Holder, ID}) ->
        Put(Consul(Holder) ++ "agent/service/deregister/" ++ ID, <<>>),
        {ok, {{_, 200, _}, _, _}} = Put(Own ++ "catalog/deregister",
          rabbit_json:encode(#{<<"Node">> => list_to_binary(Holder), <<"ServiceID">> => list_to_binary(ID)}))
      end,
    EOT
  }

  # The cookie is what makes members, and commands, trust each other.
  secret "erlang_cookie" {
    generate = 64
  }

  secret "admin_password" {
    value    = input.admin_password
    generate = 32
  }

  # The same value as the configuration file that RabbitMQ reads at its first
  # start. Not as environment: RABBITMQ_DEFAULT_PASS would show in `docker inspect`.
  secret "admin_conf" {
    of     = "admin_password"
    format = "default_pass = %s\n"
  }

  slots "rabbitmq" { count = input.members }

  config "rabbitmq.conf" { file = "rabbitmq.conf" }
  config "enabled_plugins" { file = "enabled_plugins" }

  # New members one after the other. Two that join at the same moment take no
  # lock, and can leave one of them with a schema that never merges again
  # ("Incompatible schema storage types"): it was seen, and it does not heal.
  # And members that look for each other while none has started may need long
  # to agree; the first one has nobody to wait for. Should one be started
  # otherwise, rabbitmq.conf still lets nobody go on alone.
  stack {
    file = "stack.yml"
    roll = "rabbitmq"
    form = "in turn"
  }

  # The image and a little data, above the free space below which publishers
  # are stopped.
  requires {
    memory = 512                    # MiB
    disk   = 1024 + local.disk_free # MiB
  }

  # https://www.rabbitmq.com/docs/upgrade, "Release Series Upgradeability", as of
  # 4.2; 4.3 takes only 4.2, whose feature flags it needs.
  versions {
    paths = {
      "3.10"    = ["3.11"]
      "3.11.18" = ["3.12"]
      "3.12"    = ["3.13"]
      "3.13"    = ["4.0", "4.1", "4.2"]
      "4.0"     = ["4.1", "4.2"]
      "4.1"     = ["4.2"]
      "4.2"     = ["4.3"]
    }
  }

  console "rabbitmq" {
    port   = 15672 # published by the haproxy playbook, on every host
    user   = input.admin_user
    secret = "admin_password"
  }

  # Members listen last, when everything else has started. Opening the port is
  # cheap, where each rabbitmqctl starts an Erlang machine. One call waits up to
  # 20 s, and a shell's read sleeps without starting a process.
  gate "started" {
    exec = ["bash", "-c", <<-EOT
      exec 9<> <(:)
      for i in {1..200}; do
        (: < /dev/tcp/127.0.0.1/5672) 2> /dev/null && exit 0
        read -rt 0.1 -u 9
      done
      echo "port 5672 is not open yet" >&2
      exit 1
    EOT
    ]
    # A run that was stopped between a drain and the restart that it was for has
    # left the member without clients. Where that change was then taken back,
    # nothing else would open the port again.
    mend   = ["bash", "-c", "ulimit -Sn 1024; rabbitmqctl -q eval \"$0\" > /dev/null 2>&1 || true", local.revive]
    on     = "slot"
    within = "15m"
    note   = "the member accepts clients"
  }

  # Asking one member is not enough: each of two clusters would call itself
  # whole. This asks every member which ones it sees running, within one start
  # of an Erlang machine, and waits inside it for up to 10 s. Members whose hosts
  # are known to be down are not waited for. A member that
  # a broken off change has drained takes no clients, though it runs; it is
  # brought back before anything else stops. While an alarm is in force (memory,
  # disk), no member takes messages, and nothing should stop; every member knows
  # the alarms of all.
  gate "formed" {
    exec = concat(local.eval, [<<-EOT
      ${local.nodes}
      Down = [list_to_atom("rabbit@" ++ Name) || Name <- string:lexemes("${missing}", " ")],
      Want = lists:sort([${join(", ", [for m in local.members : "'${m}'"])}] -- Down),
      Ask = fun(Node, Module, Function) ->
        case rpc:call(Node, Module, Function, [], 5000) of
          Nodes when is_list(Nodes) -> lists:sort(Nodes);
          _ -> unreachable
        end
      end,
      Formed = fun(Again, Tries) ->
        Views = [{Node, Ask(Node, rabbit_nodes, Running)} || Node <- Want],
        Odd = [View || {_, Nodes} = View <- Views, Nodes =/= Want],
        Split = [{Node, Nodes} || Node <- Want, [_ | _] = Nodes <- [Ask(Node, rabbit_node_monitor, partitions)]],
        Drained = [Node || Node <- Want, rabbit_maintenance:is_being_drained_local_read(Node)],
        Alarms = [{Node, What} || {{resource_limit, What, Node}, _} <- rabbit_alarm:get_alarms()],
        if
          Odd =:= [], Split =:= [], Drained =:= [], Alarms =:= [] -> formed;
          Drained =:= [], Alarms =:= [], Tries > 0 -> timer:sleep(200), Again(Again, Tries - 1);
          true -> exit({not_formed, {members_see, Odd}, {partitions, Split}, {drained, Drained}, {alarms, Alarms}})
        end
      end,
      Formed(Formed, 50).
    EOT
    ])
    mend = concat(local.eval, [<<-EOT
      Drained = [Node || Node <- [${join(", ", [for m in local.members : "'${m}'"])}], rabbit_maintenance:is_being_drained_local_read(Node)],
      {ok, Tokens, _} = erl_scan:string("${local.revive}"),
      {ok, Revive} = erl_parse:parse_exprs(Tokens),
      {revived, [{Node, catch element(2, rpc:call(Node, erl_eval, exprs, [Revive, []], 120000))} || Node <- Drained]}.
    EOT
    ])
    on     = "one"
    within = "15m"
    note   = "every member sees the same ${input.members} running, with no partition, no alarm, and none drained"
  }

  # What a later member finds in Consul decides which cluster it joins, so the
  # list there must be the cluster's. A registration is lost with the Consul
  # server that held it, and 4.0 does not always renew its own.
  gate "registered" {
    exec = concat(local.eval, [<<-EOT
      ${local.nodes}
      ${local.listed}
      case {Missing, Stale} of
        {[], []} -> registered;
        _ -> exit({consul_differs, {missing, Missing}, {stale, Stale}})
      end.
    EOT
    ])
    mend = concat(local.eval, [<<-EOT
      ${local.nodes}
      ${local.listed}
      ${local.strike}
      [Strike(Entry) || Entry <- Stale],
      [ok = rpc:call(Node, rabbit_peer_discovery_consul, register, [], 10000) || Node <- Missing],
      {registered, Missing, struck, Stale}.
    EOT
    ])
    on     = "one"
    within = "2m"
    note   = "Consul lists all running members, and nobody who is no member"
  }

  # A version refuses to start on data whose feature flags it takes for granted
  # and that are not enabled.
  before "upgrade" {
    name = "feature-flags"
    exec = ["bash", "-c", "${local.cli} rabbitmqctl -q enable_feature_flag all"]
    on   = "one"
    note = "the next version may not start without what this one has brought"
  }

  # Both must hold before a member stops, and neither may be skipped: with the
  # quorum of a queue lost, the queue stands still. draining moves leaders away
  # and closes clients' connections, so that they find another member at once.
  before "stop" {
    name   = "quorum"
    exec   = ["bash", "-c", "${local.cli} rabbitmq-upgrade await_online_quorum_plus_one -t 600"]
    on     = "slot"
    within = "11m"
    note   = "waits until every queue has a quorum without this member"
  }

  before "stop" {
    name   = "drain"
    exec   = ["bash", "-c", "${local.cli} rabbitmq-upgrade drain"]
    undo   = concat(local.eval, [local.revive])
    on     = "slot"
    within = "10m"
    note   = "moves queue leaders and clients to other members"
  }

  # RabbitMQ 3 has queues that stand in no quorum; when the set has formed they
  # get their settings. In 4 the configuration file says it all.
  after "form" {
    name = "queue-type"
    when = local.major < 4
    exec = concat(local.eval, [<<-EOT
      Type = #{default_queue_type => <<"${input.default_queue_type}">>},
      case erlang:function_exported(rabbit_vhost, update_metadata, 3) of
        true -> rabbit_vhost:update_metadata(<<"${input.vhost}">>, Type, <<"${input.admin_user}">>);
        false -> rabbit_misc:execute_mnesia_transaction(fun() ->
          rabbit_vhost:update_metadata(<<"${input.vhost}">>, fun(Old) -> maps:merge(Old, Type) end)
        end)
      end.
    EOT
    ])
    on   = "one"
    note = "queues declared without a type become ${input.default_queue_type} queues"
  }

  after "form" {
    name = "mirroring"
    when = local.major < 4 && input.ha_policy != null
    exec = local.mirror
    on   = "one"
    note = "mirrors the classic queues that the policy names"
  }

  # A new member has no replica of any queue until queues grow onto it.
  after "join" {
    name   = "grow"
    exec   = ["bash", "-c", "${local.cli} rabbitmq-queues grow rabbit@${slot.name} all"]
    on     = "slot"
    within = "10m"
    note   = "gives the member replicas of the quorum queues"
  }

  after "join" {
    name = "grow-streams"
    exec = concat(local.eval, [<<-EOT
      Short = fun(Q) ->
        #{nodes := Nodes} = amqqueue:get_type_state(Q),
        length(Nodes) < ${input.members} andalso not lists:member(node(), Nodes)
          andalso not lists:keymember(<<"x-initial-cluster-size">>, 1, amqqueue:get_arguments(Q))
      end,
      [begin
        {resource, VHost, queue, Name} = amqqueue:get_name(Q),
        ok = rabbit_stream_queue:add_replica(VHost, Name, node())
      end || Q <- rabbit_amqqueue:list_by_type(rabbit_stream_queue), Short(Q)],
      done.
    EOT
    ])
    on     = "slot"
    within = "10m"
    note   = "gives the member replicas of the streams"
  }

  # Until a replica has all that the others have, it does not vote: to lose one of
  # them now would stop the queue. Before 3.13 replicas vote at once.
  after "join" {
    name = "sync"
    when = local.major > 3 || local.minor > 12
    exec = ["bash", "-c", <<-EOT
      ulimit -Sn 1024
      until answer=$(rabbitmq-diagnostics -q check_if_new_quorum_queue_replicas_have_finished_initial_sync 2>&1); do
        [ "$SECONDS" -gt 3300 ] && { echo "$answer" >&2; exit 1; }
        sleep 1
      done
    EOT
    ]
    on     = "slot"
    within = "1h"
    note   = "waits until the new replicas have all that the others have"
  }

  # Idempotent, and in an order that lets each count on the one before.
  after "change" {
    name = "feature-flags"
    when = input.enable_feature_flags
    # A flag is enabled by all members together. While one is down, this is left to
    # the run that brings it back, for which the stack does not stand yet.
    exec = concat(local.eval, [<<-EOT
      ${local.nodes}
      case rabbit_nodes:Members() -- rabbit_nodes:Running() of
        [] -> ok = rabbit_feature_flags:enable_all();
        Down -> {later, Down}
      end.
    EOT
    ])
    on   = "one"
    note = "enables what the new version brings; the next upgrade needs it"
  }

  # default_pass counts at the first start only. The password is read where it
  # lies: arguments can be seen by everybody on the host.
  after "change" {
    name = "admin"
    exec = concat(local.eval, [<<-EOT
      {ok, Password} = file:read_file("/run/secrets/admin_password"),
      User = <<"${input.admin_user}">>, VHost = <<"${input.vhost}">>, By = <<"rmqprov">>,
      case rabbit_auth_backend_internal:exists(User) of
        true -> rabbit_auth_backend_internal:change_password(User, Password, By);
        false ->
          rabbit_auth_backend_internal:add_user(User, Password, By),
          rabbit_auth_backend_internal:set_tags(User, [administrator], By),
          rabbit_auth_backend_internal:set_permissions(User, VHost, <<".*">>, <<".*">>, <<".*">>, By)
      end.
    EOT
    ])
    on   = "one"
    note = "the administrator has the password that the inventory gives"
  }

  after "change" {
    name = "mirroring"
    when = local.major < 4 && input.ha_policy != null
    exec = local.mirror
    on   = "one"
    note = "mirrors the classic queues that the policy names"
  }

  # A replica that lags behind under load is not elected, and RabbitMQ counts its
  # queue as moved all the same, or leaves it where it was. So it is done again until
  # no member leads more than its share. Queues whose replicas are on few members may
  # never be spread so: after the last try they stay where they are, which is safe.
  after "change" {
    name = "rebalance"
    when = input.members > 1
    exec = concat(local.eval, [<<-EOT
      ${local.nodes}
      Leaders = fun() -> [amqqueue:qnode(Q) || Q <- rabbit_amqqueue:list(), rabbit_amqqueue:is_replicated(Q)] end,
      Share = fun(All) ->
        Serving = length([Node || Node <- rabbit_nodes:Running(), not rabbit_maintenance:is_being_drained_local_read(Node)]),
        (length(All) + Serving - 1) div Serving
      end,
      Even = fun(All) -> lists:all(fun(Node) -> length([N || N <- All, N =:= Node]) =< Share(All) end, lists:usort(All)) end,
      Rebalance = fun(Again, Tries) ->
        Passed = rabbit_amqqueue:rebalance(all, <<".*">>, <<".*">>),
        timer:sleep(1000),
        case Even(Leaders()) of
          true -> even;
          false when Tries > 1 -> Again(Again, Tries - 1);
          false -> {uneven, Passed}
        end
      end,
      Rebalance(Rebalance, 20).
    EOT
    ])
    on     = "one"
    within = "10m"
    note   = "spreads the queue leaders over the members again"
  }

  # A member that will not come back with its disk. Its successor has the same
  # name: while the cluster still knows the old one, it would be refused. While
  # Consul still lists the old one, as the oldest perhaps, it would select itself
  # and form a cluster of one.
  on "lost" {
    name = "forget"
    exec = ["bash", "-c", <<-EOT
      ulimit -Sn 1024
      member=rabbit@${slot.name}
      # A host without power said no goodbye, and for a minute the others hold its
      # member for one that runs: till then nobody may forget it.
      rabbitmqctl -q eval "Lost = '$member', Others = nodes() -- [Lost],
        erlang:disconnect_node(Lost), rpc:multicall(Others, erlang, disconnect_node, [Lost], 5000), gone." || exit
      if rabbitmqctl -q eval "lists:member('$member', rabbit_nodes:${local.major > 3 || local.minor > 11 ? "list_members" : "all"}())." | grep -q true; then
        for try in 1 2 3 4 5; do
          rabbitmqctl -q forget_cluster_node "$member" && break
          [ "$try" = 5 ] && exit 1
          sleep 5
        done
      fi
      # Forgetting shrinks the queues too, but may have been broken off before that.
      exec rabbitmq-queues -q shrink "$member"
    EOT
    ]
    on     = "another"
    within = "5m"
    note   = "the cluster and its queues no longer count on the lost member"
  }

  on "lost" {
    name = "deregister"
    exec = concat(local.eval, [<<-EOT
      ${local.nodes}
      ${local.listed}
      ${local.strike}
      [Strike(Entry) || {'rabbit@${slot.name}', _, _} = Entry <- Entries],
      [ok = rpc:call(Node, rabbit_peer_discovery_consul, register, [], 10000) || Node <- Missing],
      done.
    EOT
    ])
    on     = "another"
    within = "2m"
    note   = "Consul lists the members that live, and not the lost one"
  }

  # Asked before anything stops on the member's host. One that is drained has left
  # its queues to the others already, and one that does not run has nothing to lose.
  on "risk" {
    name = "majority"
    exec = concat(local.eval, [<<-EOT
      ${local.nodes}
      Others = length(rabbit_nodes:Running() -- [node()]),
      All = length(rabbit_nodes:Members()),
      code:ensure_loaded(rabbit_upgrade_preparation),
      Critical = case erlang:function_exported(rabbit_upgrade_preparation, list_with_minimum_quorum_for_cli, 0) of
        true -> rabbit_upgrade_preparation;
        false -> rabbit_quorum_queue
      end,
      case rabbit:is_running() andalso All > 2 of
        false -> nothing_to_protect;
        true when 2 * Others =< All -> exit({no_majority_without_this_member, {others_run, Others}, {members, All}});
        true ->
          case rabbit_maintenance:is_being_drained_local_read(node()) orelse Critical:list_with_minimum_quorum_for_cli() of
            true -> drained;
            [] -> safe;
            Queues -> exit({queues_would_lose_their_quorum, length(Queues), lists:sublist(Queues, 5)})
          end
      end.
    EOT
    ])
    on     = "slot"
    within = "10m"
    note   = "members and queues have a majority without this one"
  }

  # Most members are lost for good. One that sees no majority has paused, or waits
  # at its start for members that were there when it stopped: it is told to start
  # from what it has. With Khepri it runs, and its store of metadata waits.
  on "recover" {
    name = "boot"
    exec = concat(local.eval, [<<-EOT
      Khepri = code:ensure_loaded(rabbit_khepri) =:= {module, rabbit_khepri} andalso rabbit_khepri:is_enabled(),
      Alone = Khepri andalso erlang:function_exported(rabbit_khepri, force_shrink_member_to_current_member, 0),
      case rabbit:is_running() of
        _ when Alone -> rabbit_khepri:force_shrink_member_to_current_member();
        true -> runs;
        false ->
          ok = rabbit_mnesia:force_load_next_boot(),
          spawn(fun() -> timer:sleep(1000), erlang:halt(0) end),
          starts_anew
      end.
    EOT
    ])
    on     = "one"
    within = "5m"
    note   = "the member starts from what it has, and waits for nobody"
  }

  on "recover" {
    name = "forget"
    exec = concat(local.eval, [<<-EOT
      ${local.nodes}
      true = rabbit:is_running(),
      Lost = [list_to_atom("rabbit@" ++ Name) || Name <- string:lexemes("${lost}", " ")],
      code:ensure_loaded(rabbit_db_cluster),
      Forget = case erlang:function_exported(rabbit_db_cluster, forget_member, 2) of
        true -> fun(Node) -> rabbit_db_cluster:forget_member(Node, false) end;
        false -> fun(Node) -> rabbit_mnesia:forget_cluster_node(Node, false) end
      end,
      [begin erlang:disconnect_node(Node), ok = Forget(Node) end || Node <- Lost, lists:member(Node, rabbit_nodes:Members())],
      [] = [Node || Node <- Lost, lists:member(Node, rabbit_nodes:Members())].
    EOT
    ])
    on     = "one"
    within = "10m"
    note   = "the cluster no longer counts on the lost members"
  }

  # Others that are left have paused as well, and learn from the first that the lost
  # ones are forgotten when they start.
  on "recover" {
    name = "rejoin"
    exec = concat(local.eval, [<<-EOT
      case rabbit:is_running() of
        true -> runs;
        false -> spawn(fun() -> timer:sleep(1000), erlang:halt(0) end), starts_anew
      end.
    EOT
    ])
    on     = "slot"
    within = "5m"
    note   = "a member that has paused starts anew"
  }

  # A queue of whose replicas a majority is left goes on by itself. Of another, the
  # replica with the longest log becomes the only one. Where none is left, nothing
  # can be done. The coordinator of streams is such a queue, too; the streams then
  # wait for the lost members' successors, which have their names, and take what the
  # replica has that is left.
  on "recover" {
    name = "queues"
    exec = concat(local.eval, [<<-EOT
      ${local.nodes}
      true = rabbit:is_running(),
      [] = rabbit_nodes:Members() -- rabbit_nodes:Running(),
      Left = fun(Nodes) -> [Node || Node <- Nodes, lists:member(Node, rabbit_nodes:Members())] end,
      Length = fun(Name, Node) ->
        case rpc:call(Node, ra, key_metrics, [{Name, Node}], 5000) of
          #{last_written_index := Index} -> Index;
          _ -> -1
        end
      end,
      Queues = [{amqqueue:get_name(Q), element(1, amqqueue:get_pid(Q)), maps:get(nodes, amqqueue:get_type_state(Q))}
        || Q <- rabbit_amqqueue:list_by_type(rabbit_quorum_queue)],
      [begin
        {_, Best} = lists:max([{Length(Name, Node), Node} || Node <- Left(Nodes)]),
        {resource, VHost, queue, Queue} = Resource,
        ok = rpc:call(Best, rabbit_quorum_queue, force_shrink_member_to_current_member, [VHost, Queue]),
        [rpc:call(Node, ra, force_delete_server, [quorum_queues, {Name, Node}]) || Node <- Left(Nodes), Node =/= Best]
      end || {Resource, Name, Nodes} <- Queues, Left(Nodes) =/= [], 2 * length(Left(Nodes)) =< length(Nodes)],
      Coordinator = {rabbit_stream_coordinator, node()},
      Leads = fun() -> element(1, catch ra:members(Coordinator, 5000)) =:= ok end,
      whereis(rabbit_stream_coordinator) =:= undefined orelse Leads() orelse (ok = ra_server_proc:force_shrink_members_to_current_member(Coordinator)),
      done.
    EOT
    ])
    on     = "one"
    within = "10m"
    note   = "quorum queues go on with the replicas that are left: messages that these had not received are lost"
  }

  # Users with their password hashes, virtual hosts, permissions, queues, exchanges,
  # bindings, policies and parameters; no messages.
  # https://www.rabbitmq.com/docs/definitions
  backup "definitions" {
    exec = ["bash", "-c", "${local.cli} rabbitmqctl -q export_definitions -"]
    # It reads files only; /dev/shm is memory.
    restore = ["bash", "-c", <<-EOT
      umask 077
      file=/dev/shm/rmqprov-$$.json
      trap 'rm -f "$file"' EXIT
      ulimit -Sn 1024
      cat > "$file" && rabbitmqctl -q import_definitions "$file"
    EOT
    ]
    note = "users, virtual hosts, queues, exchanges, bindings, policies; no messages"
  }

  # Published with confirm through one host's port and consumed through another's.
  proof "publish" {
    protocol = "amqp"
    port     = 5672
    user     = input.admin_user
    secret   = "admin_password"
  }
}
