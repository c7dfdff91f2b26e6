import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createSandbox, type Sandbox, type SandboxFunction, type SandboxOptions } from '@peerhost/sandbox'
import { get } from './fixtures.ts'
import { type JailProcesses, jails } from './processes.ts'

const LOG_LINES = 5
const POLL_MS = 40
const QUIET_POLLS = 3
const IDLE_MS = 20_000

/** Runs with a sandbox of its own, as a worker makes it. */
export async function withSandbox<T>(options: SandboxOptions, work: (sandbox: Sandbox) => Promise<T>): Promise<T> {
  const dataDir = mkdtempSync(join(tmpdir(), 'peerhost-bench-'))
  const log: string[] = []
  const onLog = (line: string) => {
    log.push(line)
    if (log.length > LOG_LINES) log.shift()
  }
  const sandbox = await createSandbox({ dataDir, onLog, ...options })
  try {
    return await work(sandbox)
  } catch (error) {
    throw new Error(`${(error as Error).message}; the sandbox says: ${log.join(' | ')}`, { cause: error })
  } finally {
    await sandbox.close()
    rmSync(dataDir, { recursive: true })
  }
}

/** One GET in the sandbox, which has to be answered with 200. Returns how it started. */
export async function call(sandbox: Sandbox, fn: SandboxFunction): Promise<'forked' | 'cold'> {
  const { status, response, error, start, logs } = await sandbox.execute(fn, get(fn))
  if (status === 0 && response?.httpStatus === 200) return start
  throw new Error(`${fn.definition.name}: ${error?.code ?? response?.httpStatus}: ${error?.message ?? ''} ${logs}`)
}

const cpuTicks = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1').split(' ').slice(13, 15).join(' ')
  } catch {
    return ''
  }
}

/** Waits until that many jails of a kind have nothing left to do. */
async function untilIdle<T extends JailProcesses>(
  count: number,
  kind: (jail: JailProcesses) => jail is T,
): Promise<T[]> {
  const deadline = performance.now() + IDLE_MS
  let found: T[] = []
  for (let [quiet, before] = [0, '']; quiet < QUIET_POLLS; ) {
    if (performance.now() > deadline)
      throw new Error(`there are ${found.length} idle jails where ${count} are expected`)
    await sleep(POLL_MS)
    found = jails().filter(kind)
    const now = found
      .map(({ zygote, child }) => `${zygote} ${cpuTicks(zygote)} ${child} ${child && cpuTicks(child)}`)
      .join()
    quiet = found.length >= count && now === before ? quiet + 1 : 0
    before = now
  }
  return found
}

/** Waits until that many blank jails wait for a bundle. */
export const untilBlank = (count: number) =>
  untilIdle(count, (jail): jail is JailProcesses & { child: undefined } => jail.child === undefined)

/** Waits until that many jails wait for a request, each with its child. */
export const untilWaiting = (count: number) =>
  untilIdle(count, (jail): jail is JailProcesses & { child: number } => jail.child !== undefined)
