import type { Host } from '../host/host.ts'
import { Jail, type JailKind } from '../jail/jail.ts'
import { IDLE_MB, type MemoryBudget } from './memory-budget.ts'

const KINDS_KEPT = 4
const REPLENISH_DELAY_MS = 50 // first the request that took one: a start takes a core, and its fork stops this process
const RETRY_MS = 1000

const nameOf = ({ memorySize, deterministic, network }: JailKind) => `${memorySize} ${deterministic} ${network}`

/**
 * Jails that wait warmed without a bundle, of each kind in use, so that a cold start costs the bundle's load alone.
 * Each is given away once; others take its place in the background.
 */
export class BlankJails {
  readonly #host: Host
  readonly #budget: MemoryBudget
  readonly #count: number
  readonly #onLog: (line: string) => void
  /** By kind, the one used last at the end. */
  readonly #waiting = new Map<string, { kind: JailKind; jails: Jail[] }>()
  readonly #all = new Set<Jail>()
  #starting = 0
  #timer: NodeJS.Timeout | undefined
  #closed = false
  /** How long a start takes, ms. */
  startMs = 150

  /** @param count of each kind */
  constructor(host: Host, budget: MemoryBudget, count: number, onLog: (line: string) => void) {
    this.#host = host
    this.#budget = budget
    this.#count = count
    this.#onLog = onLog
  }

  /** Jails that wait, of all kinds. */
  get size(): number {
    return this.#all.size
  }

  /** Has jails of this kind wait. */
  use(kind: JailKind): void {
    const name = nameOf(kind)
    const waiting = this.#waiting.get(name) ?? { kind, jails: [] }
    this.#waiting.delete(name)
    this.#waiting.set(name, waiting)
    if (this.#waiting.size > KINDS_KEPT) {
      const [oldest, { jails }] = this.#waiting.entries().next().value!
      this.#waiting.delete(oldest)
      for (const jail of [...jails]) jail.close('no function of this kind is in use')
    }
    this.#replenishSoon(this.has(kind) ? REPLENISH_DELAY_MS : 0)
  }

  has(kind: JailKind): boolean {
    return (this.#waiting.get(nameOf(kind))?.jails.length ?? 0) > 0
  }

  /** A blank jail, waiting or started now. Throws JailEnded. */
  async take(kind: JailKind): Promise<Jail> {
    this.use(kind)
    const jail = this.#waiting.get(nameOf(kind))?.jails.shift()
    if (!jail) {
      await this.#budget.take(IDLE_MB)
      return this.#start(kind)
    }
    this.#all.delete(jail)
    jail.onEnd = () => {}
    this.#replenishSoon(REPLENISH_DELAY_MS)
    return jail
  }

  /** Gives back the memory of one that waits; false if there is none. */
  evict(): boolean {
    for (const { jails } of this.#waiting.values()) {
      const jail = jails.pop()
      if (!jail) continue
      jail.close('its memory is needed')
      return true
    }
    return false
  }

  /** Starts a jail whose memory has been taken from the budget, and gives that back when the jail is gone. */
  async #start(kind: JailKind): Promise<Jail> {
    this.#starting++
    const started = performance.now()
    const giveBack = () => this.#budget.give(IDLE_MB)
    try {
      const jail = await Jail.start(this.#host, kind).catch((error) => {
        giveBack()
        throw error
      })
      void jail.gone.then(giveBack)
      this.startMs += (performance.now() - started - this.startMs) / 4
      this.#replenishSoon(REPLENISH_DELAY_MS)
      return jail
    } catch (error) {
      this.#replenishSoon(RETRY_MS)
      throw error
    } finally {
      this.#starting--
    }
  }

  #replenishSoon(ms: number): void {
    if (this.#timer || this.#closed) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#replenish()
    }, ms)
    this.#timer.unref()
  }

  #replenish(): void {
    // One at a time, and none while a request waits for a start: each takes a core for a while.
    if (this.#closed || this.#starting > 0) return
    for (const { kind, jails } of [...this.#waiting.values()].reverse()) {
      if (jails.length >= this.#count) continue
      if (!this.#budget.hasRoom(IDLE_MB)) {
        this.#replenishSoon(RETRY_MS)
        return
      }
      void this.#budget.take(IDLE_MB)
      this.#start(kind).then(
        (jail) => this.#add(kind, jail),
        (error: Error) => this.#onLog(`sandbox: ${error.message}`),
      )
      return
    }
  }

  #add(kind: JailKind, jail: Jail): void {
    const jails = this.#waiting.get(nameOf(kind))?.jails
    if (this.#closed || !jails || jails.length >= this.#count) {
      jail.close('not needed any more')
      return
    }
    jails.push(jail)
    this.#all.add(jail)
    jail.onEnd = () => {
      this.#all.delete(jail)
      const index = jails.indexOf(jail)
      if (index >= 0) jails.splice(index, 1)
      this.#replenishSoon(REPLENISH_DELAY_MS)
    }
    this.#replenishSoon(0)
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    const jails = [...this.#all]
    for (const jail of jails) jail.close()
    await Promise.all(jails.map((jail) => jail.gone))
  }
}
