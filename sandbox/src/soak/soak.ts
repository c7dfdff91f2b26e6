import { createHash, randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { type Hex, toHex } from '@peerhost/protocol'
import { createSandbox } from '../create-sandbox.ts'
import { runFolderRoot } from '../host/run-folder.ts'
import type { Sandbox, SandboxFunction } from '../types.ts'

export interface SoakOptions {
  executions: number
  /** About one in so many executions has a jail of the machine's killed at random. */
  killEvery: number
  onProgress?(done: number): void
}

/** What this process and its jails hold of the machine; other sandboxes on it do not count. */
export interface Holdings {
  processes: number
  groups: number
  descriptors: number
  mounts: number
  /** MB of this process. */
  memory: number
}

export interface SoakResult {
  executions: number
  kills: number
  /** Executions by status; those whose jail was killed are not 0. */
  statuses: Record<number, number>
  /** Answers that were not what was asked for. Must be 0. */
  wrong: number
  /** Warm, before the first tenth; after all; and once the sandbox is closed. */
  before: Holdings
  after: Holdings
  closed: Holdings
}

const CONCURRENCY = 4

function soakFunction(): SandboxFunction {
  const bundle = Buffer.from(
    `let count = 0
    exports.handler = async ({ text, size, file }) => {
      if (file) require('fs').writeFileSync('/tmp/x', text)
      if (size > 1500) console.log('x'.repeat(size))
      return { text, count: ++count }
    }`,
  )
  const codeDigest: Hex = `0x${createHash('sha256').update(bundle).digest('hex')}`
  return {
    owner: `0x${'5'.repeat(40)}`,
    project: 'soak',
    version: 1,
    bundle: async () => bundle,
    definition: {
      name: 'soak',
      handler: 'soak.handler',
      bundleCid: '',
      codeDigest,
      size: bundle.length,
      routes: [],
      price: '0',
      timeout: 10,
      memorySize: 128,
      egress: [],
      verification: 'none',
      publicHeaders: [],
      environment: {},
      runtimeId: `0x${'0'.repeat(64)}`,
    },
  }
}

const entries = (path: string): string[] => {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

/** All processes below this one, by /proc. */
function descendants(pid: number): number[] {
  const children = entries(`/proc/${pid}/task`).flatMap((thread) => {
    try {
      return readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1').split(' ').filter(Boolean).map(Number)
    } catch {
      return []
    }
  })
  return children.flatMap((child) => [child, ...descendants(child)])
}

const groupsBelow = (path: string): number =>
  entries(path).reduce((count, name) => count + (/^\d+$/.test(name) ? 1 + groupsBelow(`${path}/${name}`) : 0), 0)

/** The numbers of this process's run folders. */
function ownNumbers(): string[] {
  return entries(runFolderRoot()).filter((number) => {
    try {
      return readFileSync(`${runFolderRoot()}/${number}/owner`, 'utf8').startsWith(`${process.pid} `)
    } catch {
      return false // it goes away meanwhile
    }
  })
}

function holdings(numbers: string[]): Holdings {
  const groups = ['memory/', 'pids/', 'cpu/', ''].flatMap((controller) =>
    numbers.map((number) => `/sys/fs/cgroup/${controller}peerhost/${number}`),
  )
  const mounts = readFileSync('/proc/self/mounts', 'latin1').split('\n')
  return {
    processes: descendants(process.pid).length,
    groups: groups.reduce((sum, path) => sum + groupsBelow(path), 0),
    descriptors: entries('/proc/self/fd').length,
    mounts: mounts.filter((line) => numbers.some((number) => line.includes(`${runFolderRoot()}/${number}/`))).length,
    memory: Math.round(process.memoryUsage().rss / 1024 / 1024),
  }
}

/** Kills one process of a jail: nsjail, a zygote or a child. */
function killOne(): void {
  const watched = descendants(process.pid).filter((pid) => {
    try {
      return !readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('peerhost-watchdog')
    } catch {
      return false
    }
  })
  const victim = watched[Math.floor(Math.random() * watched.length)]
  try {
    if (victim) process.kill(victim, 'SIGKILL')
  } catch {} // it has ended meanwhile
}

async function executeOne(sandbox: Sandbox, fn: SandboxFunction, result: SoakResult): Promise<void> {
  const text = randomBytes(8).toString('hex')
  const body = Buffer.from(JSON.stringify({ text, size: Math.random() * 2000, file: Math.random() < 0.05 }))
  const { status, output } = await sandbox.execute(fn, {
    input: { kind: 'event', body },
    requestHash: toHex(randomBytes(32)),
    clockMs: Date.now(),
  })
  result.statuses[status] = (result.statuses[status] ?? 0) + 1
  result.executions++
  if (status !== 0) return
  const answer = JSON.parse(Buffer.from(output!).toString()) as { text: string; count: number }
  if (answer.text !== text || answer.count !== 1) result.wrong++
}

/**
 * Many executions with random kills of jails: counts what is wrong and what is left. Bounded by `executions`.
 *
 * @example await soak({ executions: 20_000, killEvery: 200 })
 */
export async function soak({ executions, killEvery, onProgress }: SoakOptions): Promise<SoakResult> {
  const sandbox = await createSandbox({ maxJailsPerFunction: CONCURRENCY })
  const fn = soakFunction()
  const numbers = ownNumbers()
  const none = holdings(numbers)
  const result: SoakResult = {
    executions: 0,
    kills: 0,
    statuses: {},
    wrong: 0,
    before: none,
    after: none,
    closed: none,
  }
  try {
    const lane = async (until: number) => {
      while (result.executions < until) {
        if (Math.random() < 1 / killEvery) {
          killOne()
          result.kills++
        }
        await executeOne(sandbox, fn, result)
        if (result.executions % 1000 === 0) onProgress?.(result.executions)
      }
    }
    const run = (until: number) => Promise.all(Array.from({ length: CONCURRENCY }, () => lane(until)))
    await run(Math.floor(executions / 10))
    result.before = holdings(numbers)
    await run(executions)
    result.after = holdings(numbers)
  } finally {
    await sandbox.close()
  }
  result.closed = holdings(numbers)
  return result
}
