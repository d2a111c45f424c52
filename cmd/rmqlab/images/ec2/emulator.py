"""moto_server, with what the lab's instances have that moto's have not, and less forgiving.

Instances are real hosts here: their ids, zones and consoles are given, not made up. A key that is pushed to
one is served to it for a minute, as by the metadata of a real one.
"""

import base64
import copy
import json
import pathlib
import threading
import time

from moto.core.exceptions import JsonRESTError
from moto.core.utils import iso_8601_datetime_with_milliseconds, utcnow
from moto.ec2.exceptions import DependencyViolationError
from moto.ec2.models import ec2_backends, instances
from moto.ec2.models.security_groups import SecurityGroup, SecurityGroupBackend
from moto.ec2.responses.general import General
from moto.ec2.responses.instances import InstanceResponse
from moto.ec2instanceconnect.responses import Ec2InstanceConnectResponse
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.server import main

CONSOLES = pathlib.Path("/var/lib/ec2/console")

CONSOLE = """<GetConsoleOutputResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
  <requestId>59dbff89-35bd-4eac-99ed-be587EXAMPLE</requestId>
  <instanceId>{id}</instanceId>
  <timestamp>{time}</timestamp>
  <output>{output}</output>
</GetConsoleOutputResponse>"""

ACTIVE_KEYS = "/latest/meta-data/managed-ssh-keys/active-keys/"
KEY_LIVES = 60  # seconds, as on EC2

started = {}  # by client token: the answer
running = threading.Lock()
pushed = {}  # (an instance's private address, user): [(key, when it ends)]
request = threading.local()
run_instances = InstanceResponse.run_instances
random_id = instances.random_instance_id
make = instances.Instance.__init__
terminate = instances.Instance.terminate
delete_group = SecurityGroupBackend.delete_security_group
dispatch = DomainDispatcherApplication.__call__


def run_with_token(self):
    """A client token that reads as an instance id becomes the instance's. With another one, a call that is made
    again starts nothing more, as on EC2."""
    token = request.token = self._get_param("ClientToken") or ""
    if not token or token.startswith("i-"):
        return run_instances(self)
    with running:
        if token not in started:
            started[token] = run_instances(self)
        return started[token]


def instance_id():
    token = getattr(request, "token", "")
    return token if token.startswith("i-") else random_id()


def make_in_zone(self, *args, **kwargs):
    """All hosts share one subnet, so the zone is the one asked for, not the subnet's."""
    make(self, *args, **kwargs)
    if kwargs.get("placement"):
        self._placement.zone = kwargs["placement"]


def terminate_and_free(self):
    """The address of an instance that is gone may be another's."""
    state = terminate(self)
    subnet = self.ec2_backend.get_subnet(self.subnet_id)
    for address in self._private_ips:
        subnet.del_subnet_ip(address)
    return state


def get_console_output(self):
    """The text in the lab's file; empty where there is none yet, as on EC2 after a boot."""
    instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
    path = CONSOLES / instance.id
    text = path.read_bytes() if path.exists() else b""
    return CONSOLE.format(
        id=instance.id,
        time=iso_8601_datetime_with_milliseconds(utcnow()),
        output=base64.b64encode(text).decode(),
    )


def send_ssh_public_key(self):
    """Keeps the key for the instance; moto would forget it. EC2 wants an instance that runs."""
    asked = json.loads(self.body)
    found = [
        i
        for r in ec2_backends[self.current_account][self.region].reservations.values()
        for i in r.instances
        if i.id == asked["InstanceId"] and i._state.name == "running"
    ]
    if not found:
        raise JsonRESTError("EC2InstanceNotFoundException", f"no instance {asked['InstanceId']} runs")
    keys = pushed.setdefault((found[0].private_ip, asked["InstanceOSUser"]), [])
    keys.append((asked["SSHPublicKey"].strip(), time.monotonic() + KEY_LIVES))
    return json.dumps({"RequestId": "59dbff89-35bd-4eac-99ed-be587EXAMPLE", "Success": True})


def serve_metadata(self, environ, start_response):
    """Tells an instance the keys that were pushed to it. Who asks is known by the address, as on EC2, where
    the metadata of all instances has the same one."""
    path = environ.get("PATH_INFO", "")
    if not path.startswith(ACTIVE_KEYS):
        return dispatch(self, environ, start_response)
    keys = pushed.get((environ["REMOTE_ADDR"], path.removeprefix(ACTIVE_KEYS)), [])
    live = "".join(key + "\n" for key, end in keys if time.monotonic() < end).encode()
    start_response("200 OK" if live else "404 NOT FOUND", [("Content-Type", "text/plain"), ("Content-Length", str(len(live)))])
    return [live]


def joined(rules):
    """A group's rules as DescribeSecurityGroups shows them, those of one port as one. moto joins them
    in the group itself, so that rules of one port from two networks end as one that has both."""
    return property(lambda group: group._flattened_rules(copy.deepcopy(getattr(group, rules))))


def delete_unused_group(self, name=None, group_id=None):
    """A group that an interface has stays, as on EC2; moto would delete it. The interfaces of
    instances that are gone are listed for ever here, where EC2 lists them for a moment more."""
    used = [n for n in self.enis.values() if not (n.instance and n.instance._state.name == "terminated")]
    if any(group_id in [g.id for g in n.group_set] for n in used):
        raise DependencyViolationError(f"resource {group_id} has a dependent object")
    return delete_group(self, name, group_id)


InstanceResponse.run_instances = run_with_token
instances.random_instance_id = instance_id
instances.Instance.__init__ = make_in_zone
instances.Instance.terminate = terminate_and_free
General.get_console_output = get_console_output
SecurityGroupBackend.delete_security_group = delete_unused_group
Ec2InstanceConnectResponse.send_ssh_public_key = send_ssh_public_key
DomainDispatcherApplication.__call__ = serve_metadata
SecurityGroup.flattened_ingress_rules = joined("ingress_rules")
SecurityGroup.flattened_egress_rules = joined("egress_rules")

if __name__ == "__main__":
    main()
