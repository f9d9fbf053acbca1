#!/bin/sh
# Whether Kamailio takes its configuration: with as much memory as its service has, for the default is too little.
set -eu
# shellcheck source=/dev/null
. /etc/edgewright/kamailio.env
exec kamailio -c -M "$PKG_MEMORY" -f /etc/kamailio/kamailio.cfg
