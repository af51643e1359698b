#!/bin/bash
# closure.sh PROGRAM... -- FILE...
# Copies Debian's part of an image without a shell into /closure: the libraries that the programs open, those programs
# that are Debian's own, the files or folders, certificates, the records of packages that scanners read, and licences.
# EXTRA_PACKAGES names packages whose programs and libraries count as programs, too.
set -euo pipefail

# The first program must start. A library may need a driver, which only the host has.
if ldd "$1" | grep "not found" >&2; then exit 1; fi
programs=()
while [ "$1" != -- ]; do
    programs+=("$1")
    shift
done
files=("${@:2}" /usr/lib/os-release)

for package in ${EXTRA_PACKAGES:-}; do
    # dpkg knows `curl`, not `curl=8.14.1` or `curl/trixie-backports`.
    contents=$(dpkg -L "${package%%[=/]*}")
    while read -r file; do
        if [[ $file =~ ^/usr/(s?bin|lib)/. && ! -d $file ]]; then programs+=("$file"); fi
    done <<< "$contents"
done

# If there are several programs, `ldd` writes the name of each in a line of its own.
mapfile -t libraries < <(ldd "${programs[@]}" | sed -nE 's,.*(/lib[^/]*/[^ ]*) .*,/usr\1,p; s,^(/usr/.*):$,\1,p' | sort -u)
mkdir -p /closure/tmp /closure/var/lib/dpkg/status.d
chmod 1777 /closure/tmp
cp -L --parents "${libraries[@]}" /closure/
for dir in /closure/usr/{bin,lib,lib64,sbin}; do
    [ ! -d "$dir" ] || ln -s "usr/${dir##*/}" /closure/
done
cp -a --parents "${files[@]}" /etc/ssl/certs/ca-certificates.crt /closure/

mapfile -t owned < <(find "${files[@]}" -path '/usr/*' ! -type d)
# No package owns a link of update-alternatives. dpkg reports that, and the build goes on.
packages=$({ dpkg -S "${libraries[@]}" "${owned[@]}" || true; } | cut -d: -f1 | sort -u)
for package in ca-certificates $packages; do
    dpkg -s "$package" > "/closure/var/lib/dpkg/status.d/$package"
    cp -L --parents "/usr/share/doc/$package/copyright" /closure/
done
cp -a --parents /usr/share/common-licenses /closure/
