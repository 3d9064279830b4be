# What the scripts of a Database know besides: with what it is started, and how to ask it.
. "$module/lib/process.sh"
host=${DTKD_PROPERTY_HOST:-127.0.0.1}
port=${DTKD_PROPERTY_PORT:-6379}
engine=${DTKD_PROPERTY_ENGINE:-auto}
if [ "$engine" = auto ]; then
  engine=own
  command -v redis-server >/dev/null && command -v redis-cli >/dev/null && engine=redis
fi
settings="host $host, port $port, engine $engine, password ${DTKD_PROPERTY_PASSWORD:-none}, code $module"

# Succeeds if a Redis answers, whichever it is.
redis_answers() {
  redis-cli -h "$host" -p "$port" ping 2>/dev/null | grep -Eq '^(PONG|NOAUTH)'
}

# Succeeds once it takes connections.
listens() {
  case $engine in
    redis) redis_answers && is_up ;;
    *) [ "$(cat var/service.ready 2>/dev/null)" = "$pid" ] ;;
  esac
}

# Writes a text as Redis's configuration takes it: one word in quotes.
quoted() {
  printf '"%s"\n' "$(sed 's/[\\"]/\\&/g' "$1")"
}

# All that Redis is told comes through its standard input, so that the password stands in no file and no list of processes.
configuration() {
  echo "bind $host"
  echo "port $port"
  echo "dir \"$PWD/data\""
  echo 'appendonly yes'
  echo 'save ""'
  echo 'daemonize no'
  if [ -n "${PASSWORD_FILE:-}" ]; then
    printf 'requirepass '
    quoted "$PASSWORD_FILE"
  else
    # it listens where it is told to and nowhere else
    echo 'protected-mode no'
  fi
}

start_redis() {
  if redis_answers; then
    echo "port $port of $host is in use by something else" >&2
    return 1
  fi
  rm -f var/configuration
  mkfifo -m 600 var/configuration || return 1
  # a service that ends before it has read does not keep this from ending
  configuration >var/configuration &
  writer=$!
  launch var/configuration redis-server -
  comes_up listens
  came=$?
  kill "$writer" 2>/dev/null
  rm -f var/configuration
  return "$came"
}

start_own() {
  find_node
  launch "${PASSWORD_FILE:-/dev/null}" "$node" "$module/lib/server.mjs" "$host" "$port" data
  is_up
  comes_up listens
}

start_it() {
  mkdir -p -m 700 data || return 1
  case $engine in
    redis) start_redis ;;
    *) start_own ;;
  esac || return 1
  echo "$settings" >var/service.settings
  echo "started $DTKD_RESOURCE_NAME: process $pid, $host:$port, engine $engine"
}
