# shellcheck shell=bash
# Shared by the scripts here; to be sourced by bash.

# How many compilers may run at once: one per processor, and 2 GB of memory for each.
build_jobs() {
  local cpus memory limit jobs
  cpus=$(nproc)
  memory=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)
  if [ -r /sys/fs/cgroup/memory.max ]; then
    limit=$(cat /sys/fs/cgroup/memory.max)
    if [ "$limit" != max ] && [ "$((limit / 1048576))" -lt "$memory" ]; then
      memory=$((limit / 1048576))
    fi
  fi
  jobs=$((memory / 2048))
  if [ "$jobs" -lt 1 ]; then jobs=1; fi
  if [ "$jobs" -gt "$cpus" ]; then jobs=$cpus; fi
  echo "$jobs"
}

say() { printf '\n== %s\n' "$*"; }
