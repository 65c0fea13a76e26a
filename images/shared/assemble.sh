#!/bin/sh
# Puts an image together from Debian packages without installing them: no maintainer script runs, nothing asks.
#   assemble.sh DEBS TARGET        unpack DEBS/*.deb into TARGET and keep what scanners and licences need
#   assemble.sh --check TARGET     fail if a program or library in TARGET lacks a shared library
set -eu

check() {
    # An image without a package that a library needs would fail only when that code path is first taken.
    # Text files and static programs make the loader complain in other words.
    missing=$(find "$1" -type f \( -perm /111 -o -name '*.so' -o -name '*.so.*' \) ! -name '*.py' | while read -r file; do
        chroot "$1" /lib64/ld-linux-x86-64.so.2 --list "${file#"$1"}"
    done 2>&1 | grep 'cannot open shared object file' || true)
    if [ -n "$missing" ]; then
        printf 'these libraries are not in packages.txt:\n%s\n' "$missing" >&2
        exit 1
    fi
}

unpack() {
    mkdir -p "$2/var/lib/dpkg/status.d" "$2/tmp" "$2/run" "$2/etc"
    for deb in "$1"/*.deb; do
        dpkg-deb --extract "$deb" "$2"
        # As in other images without dpkg: vulnerability scanners read one file per package here.
        dpkg-deb --field "$deb" > "$2/var/lib/dpkg/status.d/$(dpkg-deb --field "$deb" Package)"
    done
    chmod 1777 "$2/tmp"
    # Debian's base has /var/run as a link, made by a maintainer script; a package may ship it as a directory.
    rm -rf "${2:?}/var/run"
    ln -s /run "$2/var/run"
    find "$2/usr/share/doc" -mindepth 2 ! -type d ! -name copyright -delete  # a link at the first level is a shared directory
    find "$2/usr/share/doc" -mindepth 1 -type d -empty -delete
    for part in man info locale lintian bash-completion bug doc-base menu pixmaps applications; do
        rm -rf "${2:?}/usr/share/$part"
    done
    # Character sets of iconv beyond UTF-8: neither PostgreSQL nor Python converts with them.
    rm -rf "$2/usr/lib/x86_64-linux-gnu/gconv"
    # Nothing in an image may gain rights that its user does not have.
    find "$2" -xdev -type f -perm /6000 -exec chmod a-s {} +
}

case $1 in
    --check) check "$2" ;;
    *) unpack "$1" "$2" ;;
esac
