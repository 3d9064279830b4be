# For the other scripts, which run in the directory of the resource. var/service.pid says what runs: its number, and when it was started, so that
# another program that got the number later is not taken for it.
pid_file=var/service.pid
module=$(cd "$(dirname "$0")/.." && pwd) || exit 1
mkdir -p var || exit 1

# One script of a resource at a time, where the system can do that: two that start it at once would start it twice.
one_at_a_time() {
  command -v flock >/dev/null || return 0
  exec 9>var/lock
  flock -w 60 9 || { echo "another command of $DTKD_RESOURCE_NAME does not come to its end" >&2; exit 1; }
}

# Prints when the process $1 was started, in ticks of the system's clock; nothing where that cannot be told.
started_at() {
  sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20
}

# Succeeds if the service runs, and leaves its number in $pid. One that has ended and was not yet collected does not run.
is_up() {
  pid='' since=''
  read -r pid since 2>/dev/null <"$pid_file" || return 1
  case $pid in '' | 0 | 1 | *[!0-9]*) return 1 ;; esac
  kill -0 "$pid" 2>/dev/null || return 1
  [ -z "$since" ] || [ "$since" = "$(started_at "$pid")" ] || return 1
  ! grep -q '^State:[[:space:]]*[ZX]' "/proc/$pid/status" 2>/dev/null
}

# launch INPUT PROGRAM...: starts it in a session of its own where that can be had, and with nothing of this command's open: it outlives it.
launch() {
  input=$1
  shift
  session=$(command -v setsid)
  rm -f var/service.ready
  nohup $session "$@" <"$input" >>var/service.log 2>&1 9>&- &
  echo "$! $(started_at $!)" >"$pid_file"
}

# comes_up TEST...: waits until the test succeeds, for as long as the service runs and for 30 seconds at most.
comes_up() {
  tries=600
  until "$@"; do
    tries=$((tries - 1))
    if [ "$tries" -eq 0 ] || ! is_up; then
      echo "$DTKD_RESOURCE_NAME did not come up; its last words:" >&2
      tail -n 5 var/service.log >&2
      stop 1
      return 1
    fi
    sleep 0.05
  done
}

# stop SECONDS: asks it to end, and kills it if it has not after that time. Fails if it was not up.
stop() {
  rm -f var/service.settings
  is_up || { rm -f "$pid_file"; return 1; }
  kill "$pid" 2>/dev/null
  tries=$(($1 * 20))
  while is_up && [ "$tries" -gt 0 ]; do
    sleep 0.05
    tries=$((tries - 1))
  done
  how=stopped
  if is_up; then
    how=killed
    kill -9 "$pid" 2>/dev/null
    tries=100
    while is_up && [ "$tries" -gt 0 ]; do
      sleep 0.05
      tries=$((tries - 1))
    done
  fi
  rm -f "$pid_file" var/service.ready
}

# Succeeds if it was started with the settings $1.
was_started_with() {
  [ "$(cat var/service.settings 2>/dev/null)" = "$1" ]
}

# The Node that runs what this module brings: that of the daemon, else the machine's own.
find_node() {
  node=${DTKD_NODE_EXECUTABLE:-}
  [ -x "$node" ] || node=$(command -v node) || { echo "there is no Node here that $DTKD_NODE may run" >&2; exit 1; }
}
