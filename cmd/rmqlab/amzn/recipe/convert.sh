#!/bin/bash
# convert.sh LINE turns the Debian image that it runs in into a stand-in for that line of
# Amazon Linux, with the packages that packages.sh left beside it. Debian's package manager
# goes; what it installed stays.
set -euo pipefail

line=$1
here=$(dirname "$(realpath "$0")")
repos=/usr/share/rmqlab/repo

# record puts the packages into the RPM database that the image starts with.
record() {
  rpm --install --nodeps "$here"/base/*.rpm
  case $line in
    amzn2) rpm --install --nodeps "$here"/repo/{iptables,iptables-libs,libnftnl,libnfnetlink,libnetfilter_conntrack}-[0-9]*.rpm ;;
  esac
}

# publish makes the repositories that the image's package manager installs from.
publish() {
  mkdir -p $repos
  case $line in
    amzn2023) mv "$here/repo" $repos/amazonlinux ;;
    amzn2)
      mv "$here/repo" $repos/amzn2-core
      mkdir $repos/amzn2extra-docker
      mv $repos/amzn2-core/{docker,containerd,runc}-[0-9]*.rpm $repos/amzn2extra-docker/
      ;;
  esac
  local repo
  for repo in $repos/*; do createrepo_c --quiet --workers 2 "$repo"; done
}

# drop_debian leaves the builder its /etc/apt; tmpfiles.d takes that away when a host boots.
drop_debian() {
  userdel _apt
  rm -rf /usr/bin/{apt,deb,debconf,dpkg,ucf}* /usr/bin/{dash,update-alternatives,createrepo_c,rpmbuild} \
    /usr/sbin/{dpkg,update-rc.d,invoke-rc.d}* /usr/sbin/{add,del}{user,group} \
    /usr/lib/{apt,dpkg} /usr/share/{dpkg,debconf} /var/lib/{dpkg,ucf} /var/cache/debconf \
    /etc/{dpkg,debian_version,debconf.conf,ucf.conf,init.d,default/ssh} /etc/rc?.d /etc/cron.daily/{apt,dpkg}* \
    /usr/lib/systemd/system/{apt,dpkg}-* /etc/systemd/system/*.wants/{apt,dpkg,dnf}-*
}

become_amazon() {
  cp -r "$here/common/." "$here/$line/." /
  ln -sfn ../usr/lib/os-release /etc/os-release
  ln -sfn amazon-linux-release /etc/system-release
  printf '\\S\nKernel \\r on an \\m\n\n' | tee /etc/issue >/etc/issue.net
  ln -sfn bash /usr/bin/sh
  chmod 440 /etc/sudoers
  mkdir -p /usr/libexec/openssh
  ln -sfn ../../lib/openssh/sftp-server /usr/libexec/openssh/sftp-server
  name_sshd
  name_package_manager
}

# name_sshd gives the SSH server's unit the one name that it has on Amazon Linux.
name_sshd() {
  local system=/usr/lib/systemd/system
  sed -i '/^Alias=/d' $system/ssh.service
  mv $system/ssh.service $system/sshd.service
  rm -f $system/ssh.socket
  find /etc/systemd/system -depth \( -name 'ssh.*' -o -name 'ssh.*.wants' -o -name sshd.service \) -exec rm -rf {} +
  systemctl enable --quiet sshd.service
}

name_package_manager() {
  case $line in
    amzn2023) ln -sfn dnf-3 /usr/bin/yum ;;
    amzn2)
      rm /usr/bin/dnf
      mkdir -p /usr/libexec/rmqlab
      mv /usr/bin/dnf-3 /usr/libexec/rmqlab/yum
      ln -sfn dnf/dnf.conf /etc/yum.conf
      ;;
  esac
}

add_user() {
  groupadd --system --force wheel
  useradd --create-home --uid 1000 --shell /bin/bash ec2-user
  usermod --append --groups adm,wheel,systemd-journal ec2-user
  echo 'ec2-user ALL=(ALL) NOPASSWD:ALL' >/etc/sudoers.d/90-cloud-init-users
  chmod 440 /etc/sudoers.d/90-cloud-init-users
}

# be_anyone takes away what each host has of its own, and the units that a container has no
# use for.
be_anyone() {
  rm -f /etc/ssh/ssh_host_* /var/lib/dbus/machine-id
  : >/etc/machine-id
  systemctl mask --quiet console-getty.service getty@.service systemd-firstboot.service \
    systemd-networkd.service systemd-networkd.socket systemd-networkd-wait-online.service
}

record
publish
drop_debian
become_amazon
add_user
be_anyone
