import { availableParallelism, totalmem } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PeerHostError } from '@peerhost/protocol'
import { type EgressNetwork, openEgress } from './egress/open-egress.ts'
import { functionKey } from './function-key.ts'
import { createHost } from './host/host.ts'
import { InitFailed } from './jail/ends.ts'
import type { ForkPoint, Jail, JailKind } from './jail/jail.ts'
import { findNode } from './locate/find-node.ts'
import { findNsjail } from './locate/find-nsjail.ts'
import { BlankJails } from './pool/blank-jails.ts'
import { CodeCaches } from './pool/code-caches.ts'
import { FunctionPool, type PoolServices } from './pool/function-pool.ts'
import { IDLE_MB, MemoryBudget } from './pool/memory-budget.ts'
import { runInvocation } from './run-invocation.ts'
import { cancelled, initFailed, type Outcome, outOfMemory, refused } from './run-result.ts'
import { runtimeId } from './runtime-id.ts'
import type { ExecuteOptions, ExecutionResult, Invocation, Sandbox, SandboxFunction } from './types.ts'

/** What `serverless deploy` makes of a function that says nothing else. */
const DEFAULT_KIND: JailKind = { memorySize: 1024, deterministic: true, network: false }
const SHRINK_EVERY_MS = 5000
const RETRIES = 2
const LOAD_MS = 10_000
/** After so long the next function is prepared beside the one that takes its time. */
const PREPARE_MS = 30_000
const MEMORY_SHARE = 0.6
const MEGABYTE = 1024 * 1024

export interface SandboxOptions {
  /** Path of nsjail; default: `findNsjail()`. */
  nsjail?: string
  /** Path of the pinned Node that functions run on; default: `findNode()`. */
  node?: string
  /** Folder of this worker alone, for what is kept between runs (code caches). Without one nothing is kept. */
  dataDir?: string
  /** MB for all jails together; default: 60 % of the machine's. */
  memoryCapMb?: number
  /** Jails that wait without a bundle, for each memorySize in use; default 2. */
  blankJails?: number
  /** `auto` (default): `blank` first, `loaded` under demand. `blank` is beyond doubt: juries, audits, `verify --execute`. */
  forkPoint?: 'auto' | ForkPoint
  /** Jails of one function at most; default: 8 for each core. */
  maxJailsPerFunction?: number
  /** Milliseconds that a bundle may take to load; default 10,000, as AWS Lambda's init phase. */
  loadTimeoutMs?: number
  /** `required` (default): without control groups it does not start. `auto`: it says so by `onLog` and starts. */
  cgroups?: 'required' | 'auto'
  /** For tests: how the egress brokers resolve names and connect. No configuration leads here. */
  network?: EgressNetwork
  /** One line of what an operator may want to know. */
  onLog?(line: string): void
}

/**
 * Starts the sandbox: sweeps what dead ones left, builds the jails' root, starts blank jails. Throws
 * PH_SANDBOX_UNAVAILABLE where it does not work; `probeSandbox` says why.
 *
 * @example const sandbox = await createSandbox({ onLog: console.error })
 */
export async function createSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const { onLog = () => {} } = options
  const nsjail = options.nsjail ?? findNsjail()
  const node = options.node ?? findNode()
  const host = createHost({ nsjail, node, cgroups: options.cgroups ?? 'required', onLog })
  const budget = new MemoryBudget(options.memoryCapMb ?? Math.floor((totalmem() / MEGABYTE) * MEMORY_SHARE))
  const blanks = new BlankJails(host, budget, options.blankJails ?? 2, onLog)
  const caches = new CodeCaches(host, options.dataDir && join(options.dataDir, 'code-caches', runtimeId()))
  const pools = new Map<string, FunctionPool>()
  const services: PoolServices = {
    blanks,
    caches,
    onLog,
    forkPoint: options.forkPoint ?? 'auto',
    loadMs: options.loadTimeoutMs ?? LOAD_MS,
    maxJails: options.maxJailsPerFunction ?? 8 * availableParallelism(),
    equip: (jail, fn) => openEgress(jail, fn, options.network),
  }
  budget.evict = () => leastRecentlyUsed(pools)?.evict() ?? blanks.evict()
  const shrinking = setInterval(() => {
    for (const [key, pool] of pools) {
      pool.shrink()
      if (pool.isEmpty) pools.delete(key)
    }
  }, SHRINK_EVERY_MS)
  shrinking.unref()
  let closed = false
  /** One at a time: a deployment of many functions must not take all cores from requests. */
  let lastPrepared: Promise<void> = Promise.resolve()

  function poolOf(fn: SandboxFunction): FunctionPool {
    if (closed) throw new PeerHostError('PH_SANDBOX_UNAVAILABLE', { detail: 'it is closed' })
    const key = functionKey(fn)
    let pool = pools.get(key)
    if (!pool) {
      pool = new FunctionPool(fn, services)
      pools.set(key, pool)
      blanks.use(pool.kind)
    }
    return pool
  }

  /** Runs on a jail of the function's; the jail goes back to its pool behind the answer. */
  async function runOn(pool: FunctionPool, jail: Jail, invocation: Invocation, options: ExecuteOptions) {
    const extra = Math.max(0, pool.fn.definition.memorySize - IDLE_MB)
    try {
      await budget.take(extra, options.signal)
    } catch (error) {
      jail.close('its request cannot have the memory it needs')
      throw error
    }
    const run = await runInvocation(jail, pool.fn, invocation, options)
    void pool.recycle(jail, run.settled).finally(() => budget.give(extra))
    return run
  }

  async function execute(
    fn: SandboxFunction,
    invocation: Invocation,
    options: ExecuteOptions = {},
  ): Promise<ExecutionResult> {
    const asked = performance.now()
    let cold = true
    let taken = asked
    const finish = (outcome: Outcome, logs: string): ExecutionResult => {
      const { failure: _, ...result } = outcome
      const now = performance.now()
      return {
        ...result,
        start: cold ? 'cold' : 'forked',
        logs,
        timings: { waitMs: taken - asked, runMs: now - taken },
      }
    }
    try {
      if (!budget.canEverHold(fn.definition.memorySize)) {
        throw new PeerHostError('PH_RUN_REFUSED', { detail: 'it needs more memory than this worker has for functions' })
      }
      const pool = poolOf(fn)
      let lease = await pool.acquire(options.signal)
      // A child may end while it waits; the jail has ended then, and the request has not reached it.
      for (let i = 0; lease.jail.failure !== undefined && i < RETRIES; i++) lease = await pool.acquire(options.signal)
      cold = lease.cold
      taken = performance.now()
      const { outcome, logs } = await runOn(pool, lease.jail, invocation, options)
      return finish(outcome, logs)
    } catch (error) {
      taken = performance.now()
      if (options.signal?.aborted) return finish(cancelled(fn, invocation), '')
      if (!(error instanceof InitFailed)) return finish(refused(fn, invocation, error as Error), '')
      const outcome = error.outOfMemory ? outOfMemory(fn, invocation) : initFailed(fn, invocation, error.failure)
      return finish(outcome, error.logs)
    }
  }

  blanks.use(DEFAULT_KIND)
  return {
    driver: 'nsjail',
    execute,
    prepare(fn) {
      const prepared = lastPrepared.then(() => poolOf(fn).prepare())
      lastPrepared = Promise.race([prepared.catch(() => {}), sleep(PREPARE_MS, undefined, { ref: false })])
      return prepared
    },
    warm: () => [...pools].filter(([, pool]) => pool.jails.length > 0).map(([key]) => key),
    async close() {
      if (closed) return
      closed = true
      clearInterval(shrinking)
      const reason = new PeerHostError('PH_SANDBOX_UNAVAILABLE', { detail: 'it is closed' })
      await Promise.all([...pools.values()].map((pool) => pool.close(reason)))
      await blanks.close()
      await host.close()
    },
  }
}

function leastRecentlyUsed(pools: Map<string, FunctionPool>): FunctionPool | undefined {
  let oldest: FunctionPool | undefined
  for (const pool of pools.values()) if (pool.isWarm && (!oldest || pool.lastUsed < oldest.lastUsed)) oldest = pool
  return oldest
}
