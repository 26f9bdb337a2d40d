#!/usr/bin/env bash
# debget.sh SUITE DEST PACKAGE...
#
# Unpacks packages of ANOTHER Debian suite, with every library they need (libc included),
# into the folder DEST, without touching this machine's own apt lists, sources or packages.
# Archive address and key are those the machine's own apt is set up with (DEB_URI overrides).
# Then run DEST/usr/bin/PROGRAM. Needs patchelf (apt-get install patchelf). Needs no root.
set -euo pipefail
suite=$1; dest=$(realpath -m "$2"); shift 2
uri=${DEB_URI:-$(awk '/^URIs:/ {print $2; exit}' /etc/apt/sources.list.d/debian.sources)}
apt=$dest/.apt
mkdir -p "$apt"/{lists/partial,archives/partial,none}
touch "$apt/status"
cat > "$apt/src.sources" <<SRC
Types: deb
URIs: $uri
Suites: ${suite//,/ }
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SRC
opts=(-qq
  -o Dir::State::lists="$apt/lists" -o Dir::State::status="$apt/status"
  -o Dir::Cache::archives="$apt/archives"
  -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
  -o Dir::Etc::sourcelist="$apt/src.sources" -o Dir::Etc::sourceparts="$apt/none"
  -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts="$apt/none"
  -o APT::Install-Recommends=0 -o APT::Sandbox::User="$(id -un)"
  -o Debug::NoLocking=1)
for _ in 1 2 3; do apt-get "${opts[@]}" update && break; sleep 5; done
apt-get "${opts[@]}" -y --download-only install "$@"
for deb in "$apt"/archives/*.deb; do dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$dest" --keep-directory-symlink; done
rm -rf "$apt"
# Point each program at the unpacked loader and libraries, so that it starts directly
# (and so that it can start itself again: Neovim's terminal UI does).
ld=$(realpath "$(find "$dest" -name 'ld-linux-x86-64.so.2' | head -1)")
rpath=$dest/usr/lib/x86_64-linux-gnu:$dest/lib/x86_64-linux-gnu
{ find "$dest"/usr/bin "$dest"/usr/libexec "$dest"/usr/lib/hx "$dest"/bin -type f -perm -u+x 2>/dev/null || true; } |
while read -r f; do
  # only dynamic ELF programs
  [ "$(head -c4 "$f" | tail -c3)" = ELF ] && patchelf --print-interpreter "$f" >/dev/null 2>&1 || continue
  patchelf --set-interpreter "$ld" --force-rpath --set-rpath "$rpath" "$f"
done
