import { once } from 'node:events'
import { chownSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { PeerHostError } from '@peerhost/protocol'
import { findCgroups } from '../cgroup/find-cgroups.ts'
import type { Cgroups } from '../cgroup/types.ts'
import { buildJailRoot } from './jail-root.ts'
import { abandonedFolders, createRunFolder, type RunFolder, removeRunFolder } from './run-folder.ts'
import { startWatchdog } from './watchdog.ts'

const FIRST_OUTSIDE_ID = 200_000
const IDS_PER_FOLDER = 1000

/** Something that runs in a slot: a jail, or a compiler. */
export interface Resident {
  close(): void
  /** Settles when nothing of it is left. */
  gone: Promise<void>
}

/** What all jails of one sandbox share on this machine. */
export interface Host {
  nsjail: string
  /** What jails see as their root: on a tmpfs of our own for root. */
  jailRoot: string
  runFolder: RunFolder
  /** Undefined where control groups may not be used and `cgroups: 'auto'` allows that. */
  cgroups?: Cgroups
  /** A slot's number, free again after `release`. */
  takeSlot(): number
  releaseSlot(slot: number): void
  /** Makes the folder of a slot. Only its jail's user and root may enter it: whoever connects to a jail's socket ends it. */
  makeSlotFolder(slot: number): string
  /** Remembers what runs, until it is gone. Throws once the host is closed. */
  enter(resident: Resident): void
  /** User and group outside of a slot's jail; undefined without root: the caller's own. */
  outsideId(slot: number): number | undefined
  close(): Promise<void>
}

export interface HostOptions {
  nsjail: string
  node: string
  cgroups: 'required' | 'auto'
  onLog(line: string): void
}

/** Sweeps what dead sandboxes left, and sets up a run folder, the jails' root and control groups. */
export function createHost({ nsjail, node, cgroups: wanted, onLog }: HostOptions): Host {
  const found = findCgroups()
  const { cgroups } = found
  if (!cgroups && wanted === 'required') {
    throw new PeerHostError('PH_SANDBOX_UNAVAILABLE', { detail: `${found.reason}. ${found.fix}` })
  }
  if (!cgroups) onLog(`sandbox: no memory, process and CPU limits by control group: ${found.reason}`)
  for (const { number, path } of abandonedFolders()) {
    cgroups?.sweep(number)
    removeRunFolder(path)
    onLog(`sandbox: removed what an earlier one left at ${path}`)
  }
  const runFolder = createRunFolder()
  if (!runFolder.ownTmpfs) onLog('sandbox: its files lie in a plain folder: only root can mount a tmpfs for them')
  cgroups?.sweep(runFolder.number)
  const watchdog = startWatchdog(runFolder.path, cgroups?.foldersOf(runFolder.number) ?? [])
  const { jailRoot } = runFolder
  try {
    buildJailRoot(jailRoot, node)
  } catch (error) {
    watchdog.stdin!.end()
    throw new PeerHostError('PH_SANDBOX_UNAVAILABLE', { detail: (error as Error).message }, { cause: error })
  }
  const slots = new Set<number>()
  const residents = new Set<Resident>()
  let closed = false
  const isRoot = process.getuid!() === 0
  const outsideId = (slot: number) =>
    isRoot ? FIRST_OUTSIDE_ID + runFolder.number * IDS_PER_FOLDER + (slot % IDS_PER_FOLDER) : undefined

  return {
    nsjail,
    jailRoot,
    runFolder,
    cgroups,
    takeSlot() {
      let slot = 0
      while (slots.has(slot)) slot++
      slots.add(slot)
      return slot
    },
    releaseSlot: (slot) => void slots.delete(slot),
    makeSlotFolder(slot) {
      const folder = join(runFolder.slots, String(slot))
      mkdirSync(folder, { mode: 0o700 })
      const id = outsideId(slot)
      if (id !== undefined) chownSync(folder, id, id)
      return folder
    },
    enter(resident) {
      if (closed) throw new PeerHostError('PH_SANDBOX_UNAVAILABLE', { detail: 'it is closed' })
      residents.add(resident)
      void resident.gone.then(() => residents.delete(resident))
    },
    outsideId,
    async close() {
      closed = true
      for (const resident of residents) resident.close()
      await Promise.all([...residents].map(({ gone }) => gone))
      const ended = once(watchdog, 'exit')
      watchdog.ref()
      watchdog.stdin!.end('done\n')
      await ended
      cgroups?.sweep(runFolder.number)
      removeRunFolder(runFolder.path)
    },
  }
}
