# What the scripts of a WebService know besides: with what it is started.
. "$module/lib/process.sh"
port=${DTKD_PROPERTY_PORT:-8080}
database=
[ -z "${DTKD_PROPERTY_DATABASE_PORT:-}" ] || database=${DTKD_PROPERTY_DATABASE_HOST:-127.0.0.1}:$DTKD_PROPERTY_DATABASE_PORT
settings="port $port, database ${database:-none}, password ${DTKD_PROPERTY_DATABASE_PASSWORD:-none}, code $module"

# Succeeds once the server has written that it listens.
listens() {
  [ "$(cat var/service.ready 2>/dev/null)" = "$pid" ]
}

start_it() {
  mkdir -p htdocs || return 1
  find_node
  launch "${DATABASE_PASSWORD_FILE:-/dev/null}" "$node" "$module/lib/server.mjs" "$port" "$database"
  is_up
  comes_up listens || return 1
  echo "$settings" >var/service.settings
  echo "started $DTKD_RESOURCE_NAME: process $pid, port $port"
}
