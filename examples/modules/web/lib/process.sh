# For the other scripts, which run in the directory of the resource.
pid_file=var/service.pid

# Succeeds if the service runs, and leaves its number in $pid. One that has ended and was not yet collected does not run.
is_up() {
  pid=$(cat "$pid_file" 2>/dev/null) || return 1
  kill -0 "$pid" 2>/dev/null || return 1
  ! grep -q '^State:[[:space:]]*[ZX]' "/proc/$pid/status" 2>/dev/null
}
