# Sourced: where the tools of the tests live. Outside the checkout, so that a fresh clone finds them again.
DOORWARD_CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/doorward"

# A change of the list makes a new environment; nothing is ever upgraded in place.
DOORWARD_VENV="$DOORWARD_CACHE/venv-$(sha256sum < tests/requirements.txt | cut -c 1-12)"

# The same for what applications in Node need, and for the clients and the OpenID provider that run there.
DOORWARD_NODE="$DOORWARD_CACHE/node-$(sha256sum < tests/apps/express/package-lock.json | cut -c 1-12)"
DOORWARD_NODE_CLIENTS="$DOORWARD_CACHE/node-$(sha256sum < tests/apps/node-clients/package-lock.json | cut -c 1-12)"

ENVOY_VERSION=1.40.0
DOORWARD_ENVOY="$DOORWARD_CACHE/envoy-$ENVOY_VERSION"

CARGO_DENY_VERSION=0.20.2
CARGO_FUZZ_VERSION=0.13.2
DOORWARD_TOOLS="$DOORWARD_CACHE/tools"
