#!/bin/bash
# closure.sh PROGRAM... -- FILE...: puts into /closure what an image without a shell takes from Debian: the libraries that
# the programs open, and the programs where they are Debian's own; the files or folders; certificates; what scanners read
# about the packages of all these, and their licences. Programs and libraries of EXTRA_PACKAGES are programs, too.
set -euo pipefail

# The first program must start; a library beside it may want a driver, which the host has.
if ldd "$1" | grep "not found" >&2; then exit 1; fi
programs=()
while [ "$1" != -- ]; do
    programs+=("$1")
    shift
done
files=("${@:2}" /usr/lib/os-release)

for package in ${EXTRA_PACKAGES:-}; do
    # Without its version or release, as in `curl=8.14.1` and `curl/trixie-backports`.
    contents=$(dpkg -L "${package%%[=/]*}")
    while read -r file; do
        if [[ $file =~ ^/usr/(s?bin|lib)/. && ! -d $file ]]; then programs+=("$file"); fi
    done <<< "$contents"
done

# `ldd` has the name of each of several programs in a line of its own.
mapfile -t libraries < <(ldd "${programs[@]}" | sed -nE 's,.*(/lib[^/]*/[^ ]*) .*,/usr\1,p; s,^(/usr/.*):$,\1,p' | sort -u)
mkdir -p /closure/tmp /closure/var/lib/dpkg/status.d
chmod 1777 /closure/tmp
cp -L --parents "${libraries[@]}" /closure/
for dir in /closure/usr/{bin,lib,lib64,sbin}; do
    [ ! -d "$dir" ] || ln -s "usr/${dir##*/}" /closure/
done
cp -a --parents "${files[@]}" /etc/ssl/certs/ca-certificates.crt /closure/

mapfile -t owned < <(find "${files[@]}" -path '/usr/*' ! -type d)
# A link that update-alternatives made belongs to no package: dpkg says so and tells the others.
packages=$({ dpkg -S "${libraries[@]}" "${owned[@]}" || true; } | cut -d: -f1 | sort -u)
for package in ca-certificates $packages; do
    dpkg -s "$package" > "/closure/var/lib/dpkg/status.d/$package"
    cp -L --parents "/usr/share/doc/$package/copyright" /closure/
done
cp -a --parents /usr/share/common-licenses /closure/
