import { type ChildProcess, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CgroupSlot } from '../cgroup/types.ts'
import type { Host } from '../host/host.ts'
import { type NsjailConfig, nsjailConfig } from './nsjail-config.ts'

// nsjail enters the control groups before it exists as nsjail: nothing of it runs outside its limits, and it need not
// make groups of its own, which it would lose when it is killed.
const ENTER = 'n=$1; shift; while [ $n -gt 0 ]; do echo $$ > "$1" || exit 255; shift; n=$((n - 1)); done; exec "$@"'

export interface SpawnOptions extends Omit<NsjailConfig, 'root'> {
  host: Host
  /** Of this jail alone; its configuration is written there. */
  folder: string
  cgroup?: CgroupSlot
}

/** Starts nsjail: stdin orders, stdout and stderr, fd 3 status. */
export function spawnInJail({ host, folder, cgroup, ...config }: SpawnOptions): ChildProcess {
  const file = join(folder, 'nsjail.cfg')
  writeFileSync(file, nsjailConfig({ root: host.jailRoot, ...config }))
  const command = [host.nsjail, '--config', file]
  const entrances = cgroup?.entrances ?? []
  const child = spawn('/bin/sh', ['-c', ENTER, 'sh', String(entrances.length), ...entrances, ...command], {
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    env: {},
    cwd: '/',
  })
  for (const stream of child.stdio) stream?.on('error', () => {}) // a jail that ends takes its pipes with it
  if (child.pid !== undefined) writeFileSync(join(folder, 'pid'), String(child.pid))
  return child
}
