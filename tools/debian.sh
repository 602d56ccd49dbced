# Sourced by the scripts beside it: installs packages on Debian and its kin, as root; fails elsewhere.
install_debian() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    echo "Installing $* with apt-get"
    export DEBIAN_FRONTEND=noninteractive PATH="$PATH:/usr/sbin:/sbin"  # dpkg insists on sbin
    apt-get update -qq
    apt-get install -qq -y --no-install-recommends "$@" >/dev/null
}
