import { createHash } from 'node:crypto'
import { type Hex, PeerHostError } from '@peerhost/protocol'
import { warmUpOrder } from '../invocation-frame.ts'
import { InitFailed, JailEnded } from '../jail/ends.ts'
import type { ForkPoint, Jail, JailKind } from '../jail/jail.ts'
import type { SandboxFunction } from '../types.ts'
import type { BlankJails } from './blank-jails.ts'
import { Breaker } from './breaker.ts'
import type { CodeCaches } from './code-caches.ts'

const START_ATTEMPTS = 3
const LOOK_AGAIN_MS = 25
const FIRST_CYCLE_MS = 30
const FIRST_LOAD_MS = 10
/** Of an extra jail without work. */
const EXTRA_IDLE_MS = 30_000
/** Of a function's last jail without work. */
const LAST_IDLE_MS = 600_000

/** What pools of functions share. */
export interface PoolServices {
  blanks: BlankJails
  caches: CodeCaches
  forkPoint: 'auto' | ForkPoint
  maxJails: number
  loadMs: number
  onLog(line: string): void
  /** Gives a new jail of the function what it has beside the bundle, such as egress. */
  equip(jail: Jail, fn: SandboxFunction): Promise<void>
}

/** A jail that waits with a child, for one execution. */
export interface Lease {
  jail: Jail
  /** False: a child was waiting when the request came. */
  cold: boolean
}

interface Waiter {
  resolve(jail: Jail): void
  reject(error: unknown): void
}

/**
 * The jails of one function version. One jail runs one request at a time, so concurrency is the number of jails: it grows
 * while requests would wait longer than a start takes, and shrinks when jails have nothing to do.
 */
export class FunctionPool {
  readonly fn: SandboxFunction
  /** Of its jails. */
  readonly kind: JailKind
  lastUsed = performance.now()
  readonly #services: PoolServices
  readonly #jails = new Map<Jail, { idleSince: number; startedAt: number }>()
  readonly #free: Jail[] = []
  readonly #waiting: Waiter[] = []
  readonly #breaker = new Breaker()
  #source: Promise<Buffer> | undefined
  #starting = 0
  #preparing = 0
  #startFailures = 0
  #loadedRefused = false
  #cycleMs = FIRST_CYCLE_MS
  #loadMs = FIRST_LOAD_MS
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(fn: SandboxFunction, services: PoolServices) {
    this.fn = fn
    const { memorySize, verification, egress } = fn.definition
    this.kind = { memorySize, deterministic: verification !== 'none', network: egress.length > 0 }
    this.#services = services
  }

  get isWarm(): boolean {
    return this.#free.length > 0
  }

  /** Jails that belong to this function, by fork point. */
  get jails(): Jail[] {
    return [...this.#jails.keys()]
  }

  /** A jail with a waiting child. Throws InitFailed, JailEnded, PeerHostError; the signal's reason if it is aborted. */
  async acquire(signal?: AbortSignal): Promise<Lease> {
    this.lastUsed = performance.now()
    const failure = this.#breaker.failure()
    if (failure) throw failure
    const free = this.#free.pop()
    if (free) return { jail: this.#lend(free), cold: false }
    return { jail: this.#lend(await this.#wait(signal)), cold: true }
  }

  #lend(jail: Jail): Jail {
    this.#jails.get(jail)!.startedAt = performance.now()
    return jail
  }

  #wait(signal?: AbortSignal): Promise<Jail> {
    return new Promise((resolve, reject) => {
      const abort = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
        reject(signal!.reason)
      }
      const over = () => signal?.removeEventListener('abort', abort)
      const waiter: Waiter = {
        resolve: (jail) => {
          over()
          resolve(jail)
        },
        reject: (error) => {
          over()
          reject(error)
        },
      }
      signal?.addEventListener('abort', abort, { once: true })
      this.#waiting.push(waiter)
      this.#adjust()
    })
  }

  /** Starts a jail ahead of the first request, with the code cache made. */
  async prepare(): Promise<void> {
    this.#preparing++
    try {
      await this.#services.caches.make(this.fn.definition.codeDigest, await this.#bundle())
      if (this.#jails.size === 0 && this.#starting === 0) await this.#start()
    } finally {
      this.#preparing--
    }
    const failure = this.#breaker.failure()
    if (failure) throw failure
  }

  /** The bundle, fetched once; its digest is checked here once more. */
  #bundle(): Promise<Buffer> {
    this.#source ??= this.#fetch().catch((error) => {
      this.#source = undefined
      throw error
    })
    return this.#source
  }

  async #fetch(): Promise<Buffer> {
    const bytes = await this.fn.bundle()
    const expected = this.fn.definition.codeDigest
    const actual: Hex = `0x${createHash('sha256').update(bytes).digest('hex')}`
    if (actual !== expected.toLowerCase()) throw new PeerHostError('PH_BUNDLE_DIGEST_MISMATCH', { expected, actual })
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** Starts a jail where requests would wait longer than that takes; looks again while they wait. */
  #adjust(): void {
    if (this.#closed) return
    if (this.#waiting.length > 0 && this.#shouldGrow()) void this.#start()
    if (this.#waiting.length > 0) {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined
        this.#adjust()
      }, LOOK_AGAIN_MS)
    }
  }

  #shouldGrow(): boolean {
    const jails = this.#jails.size + this.#starting
    if (jails === 0) return true
    if (jails >= this.#services.maxJails || this.#starting >= this.#waiting.length) return false
    const { blanks } = this.#services
    const startMs = blanks.has(this.kind) ? 0 : blanks.startMs * (1 + this.#starting)
    return (this.#waiting.length * this.#expectedCycle()) / jails > startMs + this.#loadMs
  }

  /** How long a request keeps its jail: the average, or longer where one that runs now shows it. */
  #expectedCycle(): number {
    const now = performance.now()
    let longest = this.#cycleMs
    for (const { startedAt } of this.#jails.values()) if (startedAt > 0) longest = Math.max(longest, now - startedAt)
    return longest
  }

  #chooseForkPoint(): ForkPoint {
    const { forkPoint } = this.#services
    if (this.#loadedRefused) return 'blank'
    if (forkPoint !== 'auto') return forkPoint
    return this.#jails.size + this.#starting > 1 ? 'loaded' : 'blank'
  }

  async #start(): Promise<void> {
    this.#starting++
    try {
      const jail = await this.#startJail(this.#chooseForkPoint())
      this.#breaker.succeeded()
      this.#startFailures = 0
      this.#add(jail)
    } catch (error) {
      this.#startFailed(error)
    } finally {
      this.#starting--
      this.#adjust()
    }
  }

  async #startJail(forkPoint: ForkPoint): Promise<Jail> {
    const { definition } = this.fn
    const source = await this.#bundle()
    const { caches, loadMs } = this.#services
    const codeCache = caches.known(definition.codeDigest)
    const jail = await this.#services.blanks.take(this.kind)
    const started = performance.now()
    try {
      await this.#services.equip(jail, this.fn)
      await jail.handOver({ forkPoint, settings: this.#settings(), source, codeCache, loadMs })
      await jail.prepare()
    } catch (error) {
      jail.close()
      if (forkPoint === 'blank') throw error
      this.#loadedRefused = true
      this.#services.onLog(`sandbox: ${definition.name} runs at fork point blank: ${(error as Error).message}`)
      return this.#startJail('blank')
    }
    this.#loadMs += (performance.now() - started - this.#loadMs) / 4
    if (!codeCache) void caches.make(definition.codeDigest, source)
    return jail
  }

  #settings(): Record<string, unknown> {
    const { owner, project, version, definition } = this.fn
    const { name, handler, memorySize, timeout, environment, verification, stage, codeDigest } = definition
    return {
      config: {
        owner,
        project,
        functionName: name,
        version,
        handler,
        memorySize,
        timeout,
        environment,
        verification,
        stage,
      },
      seedHex: codeDigest,
      warmUp: warmUpOrder(definition),
    }
  }

  #startFailed(error: unknown): void {
    if (this.#closed) return
    if (error instanceof InitFailed) this.#breaker.failed(error)
    else if (error instanceof JailEnded) {
      this.#services.onLog(`sandbox: ${error.message}`)
      if (++this.#startFailures < START_ATTEMPTS) return
      this.#startFailures = 0
    }
    if (this.#jails.size === 0 || error instanceof InitFailed) this.#rejectAll(error)
  }

  #rejectAll(error: unknown): void {
    for (const waiter of this.#waiting.splice(0)) waiter.reject(error)
  }

  #add(jail: Jail): void {
    if (this.#closed || jail.failure !== undefined) {
      jail.close()
      return
    }
    this.#jails.set(jail, { idleSince: 0, startedAt: 0 })
    jail.onEnd = () => this.#remove(jail)
    this.#release(jail)
  }

  #remove(jail: Jail): void {
    this.#jails.delete(jail)
    const index = this.#free.indexOf(jail)
    if (index >= 0) this.#free.splice(index, 1)
    if (this.#closed) return
    this.#services.onLog(`sandbox: a jail of ${this.fn.definition.name} ended: ${jail.failure}`)
    this.#adjust()
  }

  #release(jail: Jail): void {
    const state = this.#jails.get(jail)!
    state.startedAt = 0
    state.idleSince = performance.now()
    const next = this.#waiting.shift()
    if (next) next.resolve(jail)
    else this.#free.push(jail)
  }

  /** Ends an execution and has the jail wait with its next child. */
  async recycle(jail: Jail, settled: boolean): Promise<void> {
    const state = this.#jails.get(jail)
    try {
      if (!settled) await jail.settle()
      if (this.#shouldConvert(jail)) return jail.close('others of this function start faster')
      await jail.prepare()
      if (state) this.#cycleMs += (performance.now() - state.startedAt - this.#cycleMs) / 8
      if (this.#jails.has(jail)) this.#release(jail)
    } catch (error) {
      jail.close((error as Error).message)
    }
  }

  /** While requests wait, a jail in which each execution loads for itself makes room for one that has loaded. */
  #shouldConvert(jail: Jail): boolean {
    if (this.#services.forkPoint !== 'auto' || this.#loadedRefused || jail.forkPoint === 'loaded') return false
    return this.#waiting.length > 0 && this.jails.some(({ forkPoint }) => forkPoint === 'loaded')
  }

  /** Ends the jail that has waited longest; false if none waits. */
  evict(): boolean {
    const jail = this.#free[0]
    jail?.close('its memory is needed')
    return jail !== undefined
  }

  /** Ends jails that have had nothing to do for a while. */
  shrink(now = performance.now()): void {
    for (const jail of [...this.#free]) {
      const limit = this.#jails.size > 1 ? EXTRA_IDLE_MS : LAST_IDLE_MS
      if (now - this.#jails.get(jail)!.idleSince > limit) jail.close('nothing to do')
    }
  }

  /** True if nothing of it is kept but figures. */
  get isEmpty(): boolean {
    return (
      this.#jails.size === 0 &&
      this.#starting + this.#preparing === 0 &&
      this.#waiting.length === 0 &&
      !this.#breaker.failure()
    )
  }

  async close(reason: unknown): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#rejectAll(reason)
    const jails = this.jails
    for (const jail of jails) jail.close()
    await Promise.all(jails.map((jail) => jail.gone))
  }
}
