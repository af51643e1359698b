#!/bin/bash
# What an image without a shell takes from Debian, into /closure: closure.sh PROGRAM... -- FILE...
# The libraries that the programs open, and with them those of Debian's own programs; the files, or folders;
# certificates; what scanners read about the packages of all these, and their licences. The programs and
# libraries of EXTRA_PACKAGES belong to the programs.
set -euo pipefail

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
packages=$(dpkg -S "${libraries[@]}" "${owned[@]}" | cut -d: -f1 | sort -u)
for package in ca-certificates $packages; do
    dpkg -s "$package" > "/closure/var/lib/dpkg/status.d/$package"
    cp -L --parents "/usr/share/doc/$package/copyright" /closure/
done
cp -a --parents /usr/share/common-licenses /closure/
