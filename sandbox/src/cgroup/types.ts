import { availableParallelism } from 'node:os'

/** Limits of one jail. */
export interface SlotLimits {
  /** Bytes of memory, /tmp included. */
  memory: number
  pids: number
}

/** The control group of one jail: its limits, and what it can tell of an execution's end. */
export interface CgroupSlot {
  /** Files to which a process writes its number to enter. */
  readonly entrances: string[]
  /** True once the kernel has killed a process of it for want of memory. */
  ranOutOfMemory(): boolean
  /** Gives it the whole CPU quota of a period, whatever of this period's is used up. */
  renewQuota(): void
  /** Removes it; false while processes are still in it. */
  remove(): boolean
  /** Releases what is held open. */
  close(): void
}

/** Makes and sweeps control groups. */
export interface Cgroups {
  readonly version: 1 | 2
  /** @param folder number of the sandbox's run folder */
  createSlot(folder: number, slot: number, limits: SlotLimits): CgroupSlot
  /** Kills what is left in the groups of a folder and removes them. */
  sweep(folder: number): void
  /** The folders below which all of a sandbox's groups lie, for the watchdog. */
  foldersOf(folder: number): string[]
}

/** All jails together weigh as much as this many processes, not as one, where others want the CPU too. */
export const WEIGHT_IN_PROCESSES = 2 * availableParallelism()

/** CPU: one core, with a period short enough that a wait for quota is no long stall. */
export const CPU_PERIOD_US = 100_000
export const CPU_QUOTA_US = 100_000
