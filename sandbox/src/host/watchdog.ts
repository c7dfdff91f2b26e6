import { type ChildProcess, spawn } from 'node:child_process'

// Waits for the end of its standard input, which is the end of the worker, however that ended. Then it does what the
// worker would have done: kills the jails, removes their control groups, unmounts and removes the run folder. A line on
// standard input dismisses it.
const SCRIPT = `
trap '' INT TERM HUP QUIT
folder=$1; shift
read -r line && exit 0
[ -d "$folder" ] || exit 0
for file in "$folder"/slots/*/pid; do [ -f "$file" ] && kill -9 "$(cat "$file")"; done
for round in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  left=
  for group; do
    [ -d "$group" ] || continue
    for slot in "$group"/* "$group"; do
      [ -f "$slot/cgroup.procs" ] || continue
      for pid in $(cat "$slot/cgroup.procs"); do kill -9 "$pid"; done
      rmdir "$slot" || left=1
    done
  done
  [ -n "$left" ] || break
  sleep 0.1
done
umount -l "$folder/root" "$folder/slots"
rm -rf "$folder"
`

/**
 * Starts a small process that outlives this one, however it ends, and clears up after it.
 *
 * @param runFolder of the sandbox
 * @param groups folders of its control groups
 */
export function startWatchdog(runFolder: string, groups: string[]): ChildProcess {
  const watchdog = spawn('/bin/sh', ['-c', SCRIPT, 'peerhost-watchdog', runFolder, ...groups], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true, // a signal to our process group is not for it
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    cwd: '/',
  })
  watchdog.stdin!.on('error', () => {})
  watchdog.unref()
  return watchdog
}
