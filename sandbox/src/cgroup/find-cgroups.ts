import { accessSync, constants, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Cgroups } from './types.ts'
import { createCgroupsV1 } from './version-1.ts'
import { createCgroupsV2, WORKER_LEAF } from './version-2.ts'

/** Either control groups that this process may use, or why not and what would mend it. */
export type FoundCgroups = { cgroups: Cgroups } | { cgroups?: undefined; reason: string; fix: string }

interface Mount {
  path: string
  type: string
  options: string[]
}

const mountsOf = (text: string): Mount[] =>
  text
    .split('\n')
    .map((line) => line.split(' '))
    .filter((fields) => fields.length > 3)
    .map(([, path, type, options]) => ({ path: path!, type: type!, options: options!.split(',') }))

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** Finds the memory, pids and cpu controllers, of v1 or v2, and checks that groups can be made. */
export function findCgroups(): FoundCgroups {
  const mounts = mountsOf(readFileSync('/proc/self/mounts', 'latin1'))
  const v1 = (controller: string) =>
    mounts.find(({ type, options }) => type === 'cgroup' && options.includes(controller))?.path
  const [memory, pids, cpu] = [v1('memory'), v1('pids'), v1('cpu')]
  if (memory && pids && cpu) return findV1({ memory, pids, cpu })
  const unified = mounts.find(({ type }) => type === 'cgroup2')?.path
  if (unified) return findV2(unified)
  return { reason: 'no cgroup file system is mounted', fix: 'Mount cgroup2 at /sys/fs/cgroup.' }
}

function findV1(controllers: { memory: string; pids: string; cpu: string }): FoundCgroups {
  const folders = Object.values(controllers).map((mount) => join(mount, 'peerhost'))
  try {
    for (const folder of folders) mkdirSync(folder, { recursive: true })
  } catch {}
  if (folders.every(isWritable)) return { cgroups: createCgroupsV1(controllers) }
  return {
    reason: 'control groups (v1) of this user cannot be made',
    fix: `As root: mkdir -p ${folders.join(' ')} && chown -R ${process.getuid!()} ${folders.join(' ')}`,
  }
}

function findV2(mount: string): FoundCgroups {
  const root = process.getuid!() === 0
  const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'latin1'))?.[1] ?? '/'
  const delegated = own.endsWith(`/${WORKER_LEAF}`) ? own.slice(0, -1 - WORKER_LEAF.length) : own
  const base = root ? mount : join(mount, delegated)
  const fix = root
    ? 'Run in a container with a writable cgroup tree (docker run --cgroupns=private --privileged).'
    : 'Run the worker as a systemd unit with Delegate=memory pids cpu, or: systemd-run --user --scope -p Delegate=yes CMD'
  try {
    const available = readFileSync(join(base, 'cgroup.controllers'), 'latin1').trim().split(' ')
    const missing = ['memory', 'pids', 'cpu'].filter((name) => !available.includes(name))
    if (missing.length > 0) return { reason: `the controllers ${missing.join(', ')} are not delegated to ${base}`, fix }
    return { cgroups: createCgroupsV2(base) }
  } catch (error) {
    return { reason: `control groups (v2) cannot be made: ${(error as Error).message}`, fix }
  }
}
