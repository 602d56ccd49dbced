#!/bin/sh
# Makes sure that there is a browser for the panel's journeys, where the system lets us; elsewhere it
# says why there is none, and the journeys are skipped (in CI they fail).
set -u
. "$(dirname "$0")/debian.sh"

for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null && exit
done

# Ubuntu's package of that name only calls for a snap, which a container has no use for.
if [ "$(. /etc/os-release 2>/dev/null && echo "${ID:-}")" != debian ]; then
    echo "The panel's journeys need Chromium, which is installed by itself on Debian only."
elif ! install_debian chromium; then
    echo "The panel's journeys need Chromium. As root: apt-get install chromium"
fi
exit 0
