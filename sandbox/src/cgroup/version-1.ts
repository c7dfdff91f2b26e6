import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { clearGroups, counter, KernelFile, removeGroup } from './files.ts'
import { type Cgroups, CPU_PERIOD_US, CPU_QUOTA_US, type SlotLimits, WEIGHT_IN_PROCESSES } from './types.ts'

/** Where the three controllers are mounted. */
export interface ControllerMounts {
  memory: string
  pids: string
  cpu: string
}

/** Groups of cgroup v1: one in each hierarchy, which share nothing but their name. */
export function createCgroupsV1(mounts: ControllerMounts): Cgroups {
  const foldersOf = (folder: number) =>
    [mounts.memory, mounts.pids, mounts.cpu].map((mount) => join(mount, 'peerhost', String(folder)))

  return {
    version: 1,
    foldersOf,
    sweep: (folder) => foldersOf(folder).forEach(clearGroups),
    createSlot(folder, slot, limits) {
      const [memory, pids, cpu] = foldersOf(folder).map((path) => join(path, String(slot))) as [string, string, string]
      for (const path of [memory, pids, cpu]) mkdirSync(path, { recursive: true })
      for (const parent of [dirname(cpu), dirname(dirname(cpu))]) weigh(parent)
      writeLimits({ memory, pids, cpu }, limits)
      return openSlot({ memory, pids, cpu })
    },
  }
}

const SHARES_OF_A_PROCESS = 1024

function weigh(group: string): void {
  writeFileSync(join(group, 'cpu.shares'), String(SHARES_OF_A_PROCESS * WEIGHT_IN_PROCESSES))
}

function writeLimits({ memory, pids, cpu }: ControllerMounts, limits: SlotLimits): void {
  const write = (path: string, value: number) => writeFileSync(path, String(value))
  write(join(memory, 'memory.limit_in_bytes'), limits.memory)
  try {
    write(join(memory, 'memory.memsw.limit_in_bytes'), limits.memory) // there only where the kernel accounts for swap
  } catch {}
  write(join(pids, 'pids.max'), limits.pids)
  write(join(cpu, 'cpu.cfs_period_us'), CPU_PERIOD_US)
  write(join(cpu, 'cpu.cfs_quota_us'), CPU_QUOTA_US)
}

function openSlot({ memory, pids, cpu }: ControllerMounts) {
  const oom = new KernelFile(join(memory, 'memory.oom_control'))
  const quota = new KernelFile(join(cpu, 'cpu.cfs_quota_us'), 'w')
  return {
    entrances: [memory, pids, cpu].map((path) => join(path, 'cgroup.procs')),
    ranOutOfMemory: () => (counter(oom.read(), 'oom_kill') ?? '0') !== '0',
    renewQuota: () => quota.write(String(CPU_QUOTA_US)), // the kernel fills it up whenever it is set
    remove: () => [memory, pids, cpu].map(removeGroup).every(Boolean),
    close() {
      oom.close()
      quota.close()
    },
  }
}
