import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { toHex } from '@peerhost/protocol'
import { findCgroups } from '../cgroup/find-cgroups.ts'
import { createSandbox, type SandboxOptions } from '../create-sandbox.ts'
import { runFolderRoot } from '../host/run-folder.ts'
import type { ExecuteOptions, ExecutionResult, Sandbox, SandboxFunction } from '../types.ts'
import { attackFunction, outputOf } from './abuse-sandbox.ts'

/** Four jails at most: a running one of 128 MB counts twice as much as one that waits. */
const MEMORY_CAP_MB = 320
const SETTLE_MS = 5000
const LOOK_MS = 10
/** nsjail, zygote, waiting child. */
const PROCESSES_OF_A_JAIL = 3
/** The jails' root and the slots. */
const MOUNTS = 2

/** A sandbox that is attacked, with a view of what it has on this machine. */
export interface AttackStage {
  sandbox: Sandbox
  /** Number of its run folder, by which its groups and processes are known. */
  number: string
  /** How often jails have had to wait for CPU time beyond their quota. */
  throttled(): number
  /** Runs the function with a raw event. */
  call(fn: SandboxFunction, event: unknown, options?: ExecuteOptions): Promise<ExecutionResult>
  /**
   * Behind an attack: another function is served, and of what has ended no process, no group and no mount is left. With a
   * function it is served too: it must answer `{ echo }` with what it was asked, in a process of its own.
   */
  recovers(attacked?: SandboxFunction): Promise<void>
  /** Ends the sandbox; then nothing of it is left at all. */
  close(): Promise<void>
}

/** A handler that calls the attack named by the event, and otherwise answers as every honest function does. */
export const withAttacks = (attacks: string): string => `
let count = 0
const attacks = {${attacks}}
exports.handler = async (event) => {
  if (event.attack === undefined) return { echo: event.echo, count: ++count }
  return attacks[event.attack](event)
}`

const HONEST = attackFunction(withAttacks(''), { name: 'honest' })

const listed = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : [])

/** Numbers of run folders that this process owns. */
function ownFolders(): string[] {
  return listed(runFolderRoot()).filter((name) => {
    try {
      return readFileSync(join(runFolderRoot(), name, 'owner'), 'utf8').split(' ')[0] === String(process.pid)
    } catch {
      return false
    }
  })
}

/** What there is of a sandbox on this machine. A process cannot leave its control group, so that finds all of them. */
function lookAt(number: string) {
  const folder = join(runFolderRoot(), number)
  const groupOf = new RegExp(`/peerhost/${number}/(\\d+)`)
  const processes = new Map<string, number>()
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const slot = groupOf.exec(readFileSync(`/proc/${pid}/cgroup`, 'latin1'))?.[1]
      if (slot !== undefined) processes.set(slot, (processes.get(slot) ?? 0) + 1)
    } catch {} // it has ended
  }
  const groups = (findCgroups().cgroups?.foldersOf(Number(number)) ?? []).flatMap((path) =>
    listed(path).filter((name) => /^\d+$/.test(name)),
  )
  const mounts = readFileSync('/proc/self/mountinfo', 'latin1').split(folder).length - 1
  return { slots: listed(join(folder, 'slots')), groups: [...new Set(groups)], processes, mounts }
}

/** Of all groups that are there, which only ever grows while none is removed. */
function throttledIn(number: string): number {
  const folders = findCgroups().cgroups?.foldersOf(Number(number)) ?? []
  let sum = 0
  for (const path of folders.flatMap((folder) => listed(folder).map((slot) => join(folder, slot, 'cpu.stat')))) {
    if (existsSync(path)) sum += Number(/^nr_throttled (\d+)/m.exec(readFileSync(path, 'latin1'))?.[1] ?? 0)
  }
  return sum
}

/** What is too much while the sandbox runs; empty: nothing. */
function leftovers(number: string): string[] {
  const { slots, groups, processes, mounts } = lookAt(number)
  const left = groups.filter((slot) => !slots.includes(slot)).map((slot) => `group ${slot}`)
  for (const [slot, count] of processes) {
    if (!slots.includes(slot)) left.push(`${count} processes of slot ${slot}`)
    else if (count > PROCESSES_OF_A_JAIL) left.push(`${count} processes in slot ${slot}`)
  }
  if (mounts > MOUNTS) left.push(`${mounts} mounts`)
  return left
}

async function untilNothingIsLeft(look: () => string[]): Promise<void> {
  const until = performance.now() + SETTLE_MS
  let left = look()
  while (left.length > 0 && performance.now() < until) {
    await sleep(LOOK_MS)
    left = look()
  }
  assert.deepEqual(left, [])
}

export async function createAttackStage(options: SandboxOptions = {}): Promise<AttackStage> {
  const before = ownFolders()
  const sandbox = await createSandbox({
    maxJailsPerFunction: 1,
    blankJails: 1,
    memoryCapMb: MEMORY_CAP_MB,
    loadTimeoutMs: 1000,
    ...options,
  })
  const number = ownFolders().find((name) => !before.includes(name))!
  const call = (fn: SandboxFunction, event: unknown, options?: ExecuteOptions) => {
    const input = { kind: 'event' as const, body: Buffer.from(JSON.stringify(event)) }
    return sandbox.execute(fn, { input, requestHash: toHex(randomBytes(32)), clockMs: Date.now() }, options)
  }
  async function isServed(fn: SandboxFunction): Promise<void> {
    const echo = randomBytes(8).toString('hex')
    const result = await call(fn, { echo })
    assert.equal(result.status, 0, `${result.error?.code}: ${result.error?.message}`)
    assert.deepEqual(outputOf(result), { echo, count: 1 })
  }
  return {
    sandbox,
    number,
    throttled: () => throttledIn(number),
    call,
    async recovers(attacked) {
      if (attacked) await isServed(attacked)
      await isServed(HONEST)
      await untilNothingIsLeft(() => leftovers(number))
    },
    async close() {
      await sandbox.close()
      await untilNothingIsLeft(() => {
        const { slots, groups, processes, mounts } = lookAt(number)
        const folder = existsSync(join(runFolderRoot(), number)) ? ['run folder'] : []
        return [...slots, ...groups, ...processes.keys(), ...folder, ...(mounts > 0 ? ['mount'] : [])]
      })
    },
  }
}
