import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { clearGroups, counter, KernelFile, removeGroup } from './files.ts'
import { type Cgroups, CPU_PERIOD_US, CPU_QUOTA_US, type SlotLimits, WEIGHT_IN_PROCESSES } from './types.ts'

const CONTROLLERS = '+memory +pids +cpu'

/** Hands the controllers down. A group that does so holds no process itself, but for the machine's very top. */
function handDown(group: string): void {
  try {
    writeFileSync(join(group, 'cgroup.subtree_control'), CONTROLLERS)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error
    const leaf = join(group, WORKER_LEAF)
    mkdirSync(leaf, { recursive: true })
    for (const pid of readFileSync(join(group, 'cgroup.procs'), 'latin1').split('\n').filter(Boolean)) {
      writeFileSync(join(leaf, 'cgroup.procs'), pid)
    }
    writeFileSync(join(group, 'cgroup.subtree_control'), CONTROLLERS)
  }
}

/** The group that the processes of a delegated folder move to. */
export const WORKER_LEAF = 'peerhost-worker'

/** Groups of cgroup v2 below `base`: the top for root, else the folder that systemd delegates. */
export function createCgroupsV2(base: string): Cgroups {
  const tree = join(base, 'peerhost')
  mkdirSync(tree, { recursive: true })
  handDown(base)
  handDown(tree)
  const foldersOf = (folder: number) => [join(tree, String(folder))]

  return {
    version: 2,
    foldersOf,
    sweep: (folder) => foldersOf(folder).forEach(clearGroups),
    createSlot(folder, slot, limits) {
      const parent = foldersOf(folder)[0]!
      mkdirSync(parent, { recursive: true })
      handDown(parent)
      for (const group of [tree, parent]) weigh(group)
      const group = join(parent, String(slot))
      mkdirSync(group, { recursive: true })
      writeLimits(group, limits)
      return openSlot(group)
    },
  }
}

const QUOTA = `${CPU_QUOTA_US} ${CPU_PERIOD_US}`
const WEIGHT_OF_A_PROCESS = 100

function weigh(group: string): void {
  writeFileSync(join(group, 'cpu.weight'), String(WEIGHT_OF_A_PROCESS * WEIGHT_IN_PROCESSES))
}

function writeLimits(group: string, limits: SlotLimits): void {
  writeFileSync(join(group, 'memory.max'), String(limits.memory))
  try {
    writeFileSync(join(group, 'memory.swap.max'), '0') // there only where the kernel accounts for swap
  } catch {}
  writeFileSync(join(group, 'pids.max'), String(limits.pids))
  writeFileSync(join(group, 'cpu.max'), QUOTA)
}

function openSlot(group: string) {
  const memory = new KernelFile(join(group, 'memory.events')) // counts what lies below, too
  const quota = new KernelFile(join(group, 'cpu.max'), 'w')
  return {
    entrances: [join(group, 'cgroup.procs')],
    ranOutOfMemory: () => (counter(memory.read(), 'oom_kill') ?? '0') !== '0',
    renewQuota: () => quota.write(QUOTA), // the kernel fills it up whenever it is set
    remove: () => removeGroup(group),
    close() {
      memory.close()
      quota.close()
    },
  }
}
