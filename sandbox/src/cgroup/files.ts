import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, rmdirSync, writeSync } from 'node:fs'
import { join } from 'node:path'

const buffer = Buffer.alloc(4096)

/** A small file of the kernel's that is used again and again: opened once, its text fresh at each read. */
export class KernelFile {
  #fd: number

  constructor(path: string, flags: 'r' | 'w' = 'r') {
    this.#fd = openSync(path, flags)
  }

  read(): string {
    return buffer.toString('latin1', 0, readSync(this.#fd, buffer, 0, buffer.length, 0))
  }

  write(text: string): void {
    writeSync(this.#fd, text, 0)
  }

  close(): void {
    if (this.#fd < 0) return
    closeSync(this.#fd)
    this.#fd = -1
  }
}

/** The number behind a name in a file of `name number` lines. */
export const counter = (text: string, name: string): string | undefined =>
  new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1]

/** Removes a group; false if it is still in use. */
export function removeGroup(folder: string): boolean {
  try {
    rmdirSync(folder)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT'
  }
}

const WAIT_MS = 20
const ROUNDS = 50
const still = new Int32Array(new SharedArrayBuffer(4))

/** Kills every process below a group and removes the tree. Only for groups whose owner is gone. */
export function clearGroups(folder: string): void {
  for (let round = 0; existsSync(folder) && round < ROUNDS; round++) {
    for (const group of groupsBelow(folder)) {
      for (const pid of processesOf(group)) kill(pid)
      removeGroup(group)
    }
    if (existsSync(folder)) Atomics.wait(still, 0, 0, WAIT_MS)
  }
}

/** Deepest first. */
function groupsBelow(folder: string): string[] {
  try {
    const below = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    return [...below.flatMap((entry) => groupsBelow(join(folder, entry.name))), folder]
  } catch {
    return []
  }
}

function processesOf(group: string): number[] {
  try {
    return readFileSync(join(group, 'cgroup.procs'), 'latin1').split('\n').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {}
}
