#!/bin/bash
# packages.sh LINE builds the RPM packages of a stand-in for that line of Amazon Linux out of
# Debian's, inside the image to be, while it still has apt. It leaves them in repo/ and, those
# that only record what the image already has, in base/, both beside this script.
set -euo pipefail

line=$1
here=$(dirname "$(realpath "$0")")
stage=$here/stage
case $line in
  amzn2023) iptables=iptables-nft ;;
  amzn2) iptables=iptables ;;
esac

# version PACKAGE prints the upstream version of a Debian package in a form that RPM takes.
version() {
  local v
  v=$(dpkg-query --show --showformat='${source:Upstream-Version}' "$1" 2>/dev/null) ||
    v=$(apt-cache show "$1" | sed -n 's/^Version: //p' | head -1 | sed 's/^[0-9]*://; s/-[^-]*$//')
  printf '%s' "${v%%[+~]*}"
}

# unpack NAME DEBIAN… lays out Debian packages as the files of the RPM package NAME.
unpack() {
  local name=$1 deb
  shift
  mkdir -p "$stage/$name"
  for deb in "$@"; do
    dpkg-deb -x "$here"/debs/"${deb}"_*.deb "$stage/$name"
  done
  rm -rf "$stage/$name"/usr/share/{doc,docker.io,man,lintian,bash-completion,zsh,fish} "$stage/$name"/etc/{default,init.d}
  find "$stage/$name" -depth -type d -empty -delete
}

# list NAME writes what RPM is to own of the package NAME: its files, and no directories.
list() {
  (cd "$stage/$1" && find . ! -type d -printf '/%P\n') >"$stage/$1.files"
  sed -i 's,^/etc/,%config(noreplace) &,' "$stage/$1.files"
}

lay_out() {
  mkdir -p "$here/debs"
  (cd "$here/debs" && apt-get -qq -o APT::Sandbox::User=root download docker.io docker-cli tini containerd runc pigz \
    iptables libip4tc2 libip6tc2 libnftnl11 libnfnetlink0 libnetfilter-conntrack3)
  unpack docker docker.io docker-cli tini
  unpack containerd containerd
  unpack runc runc
  unpack pigz pigz
  unpack $iptables iptables
  unpack iptables-libs libip4tc2 libip6tc2
  unpack libnftnl libnftnl11
  unpack libnfnetlink libnfnetlink0
  unpack libnetfilter_conntrack libnetfilter-conntrack3
  amazon_layout
  local dir
  for dir in "$stage"/*/; do list "$(basename "$dir")"; done
}

# amazon_layout puts units, programs and options where Amazon's packages have them.
amazon_layout() {
  local docker=$stage/docker units=usr/lib/systemd/system
  mv "$docker"/usr/sbin/* "$docker/usr/bin/"
  install -m 644 "$here"/docker/docker.{service,socket} "$docker/$units/"
  install -m 644 "$here"/docker/containerd.service "$stage/containerd/$units/"
  install -D -m 644 "$here/docker/docker.sysconfig" "$docker/etc/sysconfig/docker"
  local tool
  for tool in {ip,ip6}tables{,-save,-restore}; do # Debian makes these links when it installs
    ln -s xtables-nft-multi "$stage/$iptables/usr/sbin/$tool"
  done
}

build_repository() {
  rpmbuild "${build[@]}" --define "_rpmdir $here/repo" --define "stage $stage" --define "iptables $iptables" \
    --define "docker_debian $(apt-cache show docker.io | sed -n 's/^Version: //p' | head -1)" \
    --define "containerd_version $(version containerd)" --define "runc_version $(version runc)" \
    --define "pigz_version $(version pigz)" --define "iptables_version $(version iptables)" \
    --define "libnftnl_version $(version libnftnl11)" --define "libnfnetlink_version $(version libnfnetlink0)" \
    --define "libnetfilter_conntrack_version $(version libnetfilter-conntrack3)" \
    "$here/packages.spec"
}

# empty_packages DIR makes a package without files for each line "NAME DEBIAN [TAG…]" of its
# input, at the version of the Debian package that gives the image those files, or at VERSION
# where DEBIAN reads =VERSION. A TAG is a line of RPM preamble, with _ for a blank.
empty_packages() {
  local name debian tags tag number spec=$here/empty.spec
  printf '%s\n' 'Name: empty' 'Version: 1' 'Release: 1%{?dist}' 'Summary: empty' 'License: none' '%description' empty >"$spec"
  while read -r name debian tags; do
    case $debian in
      =*) number=${debian#=} ;;
      *) number=$(version "$debian") ;;
    esac
    {
      printf '%s\n' "%package -n $name" "Version: $number" 'Summary: A name without files' 'AutoReqProv: no'
      for tag in $tags; do echo "${tag//_/ }"; done
      printf '%s\n' "%description -n $name" 'A name without files, in a lab host that stands in for Amazon Linux.' "%files -n $name"
    } >>"$spec"
  done
  rpmbuild "${build[@]}" --define "_rpmdir $1" "$spec"
}

build=(--quiet -bb --define "_topdir $here/build" --define "dist .$line" --define "_buildhost rmqlab"
  --define '_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm')
lay_out
build_repository
cat "$here/base.list" "$here/$line.list" | empty_packages "$here/base"
empty_packages "$here/repo" <"$here/$line.offered.list"
