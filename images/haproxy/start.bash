#!/usr/bin/env bash
# Tells HAProxy where the ambassador is, and becomes it.
set -euo pipefail

config=/etc/haproxy/haproxy.cfg

# Set backend IP address to machine's private IP address
if [[ -z ${PRIVATE_IPV4:-} ]]; then
  PRIVATE_IPV4=$(curl --silent --show-error --fail --retry 5 --retry-connrefused --max-time 30 "$METADATA_URL")
fi
sed -i -e "s/server apache private_ipv4:80 check/server apache ${PRIVATE_IPV4}:80 check/g" "$config"

exec haproxy -f "$config" -db
