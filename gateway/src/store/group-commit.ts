import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { PeerHostError } from '@peerhost/protocol'

export type SqlValue = string | number | Uint8Array | null
/** Statements with their values, all or none of them. */
export type Write = readonly (readonly [sql: string, ...values: SqlValue[]])[]

/** What goes to the thread; no writes: the end. */
export interface Commit {
  writes: readonly Write[]
}
/** What comes back: rows that each write's first statement changed, or why it failed. */
export interface Committed {
  results: (number | string)[]
}

interface Waiting {
  write: Write
  resolve: (changes: number) => void
  reject: (error: PeerHostError) => void
}

const LAZY_MS = 500
const MAX_LAZY = 500

const failed = (detail: string) => new PeerHostError('PH_GATEWAY_STORE_FAILED', { detail })

/**
 * Writes to a SQLite file in a thread of its own: with `synchronous=FULL` each commit waits for the disk, and nothing
 * else should. What comes while one commit is under way shares the next.
 */
export class GroupCommit {
  readonly #thread: Worker
  #waiting: Waiting[] = []
  #underWay: Waiting[] = []
  /** What needs no commit of its own. */
  #lazy: Waiting[] = []
  #lazyTimer: NodeJS.Timeout | undefined
  #broken: string | undefined
  #closing = false
  readonly #onBroken: (error: PeerHostError) => void

  /** @param onBroken told once, where the thread ends on its own: nothing can be written any more */
  constructor(file: string, onBroken: (error: PeerHostError) => void = () => {}) {
    this.#onBroken = onBroken
    const program = import.meta.url.endsWith('.ts') ? './commit-thread.ts' : './commit-thread.js'
    this.#thread = new Worker(new URL(program, import.meta.url), { workerData: file })
    this.#thread.on('message', ({ results }: Committed) => this.#committed(results))
    this.#thread.on('error', (error) => this.#break(error.message))
    this.#thread.on('exit', () => this.#break('it is closed'))
  }

  /** Resolves, once it is on the disk, with the rows that the first statement changed. */
  write(write: Write): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#broken) return reject(failed(this.#broken))
      this.#waiting.push({ write, resolve, reject })
      this.#commit()
    })
  }

  /** The same, in no hurry: with the next commit, or half a second later. Nobody is told. */
  writeSoon(write: Write): void {
    if (this.#broken) return
    this.#lazy.push({ write, resolve: () => {}, reject: () => {} })
    this.#lazyTimer ??= setTimeout(() => this.#flushLazy(), LAZY_MS)
    if (this.#lazy.length >= MAX_LAZY) this.#flushLazy()
  }

  /** Finishes what is waiting and ends the thread. */
  async close(): Promise<void> {
    this.#flushLazy()
    while (!this.#broken && this.#waiting.length + this.#underWay.length > 0) await this.write([['SELECT 1']])
    if (this.#broken) return
    this.#closing = true
    const exit = once(this.#thread, 'exit')
    this.#thread.postMessage({ writes: [] } satisfies Commit)
    await exit
  }

  #flushLazy(): void {
    clearTimeout(this.#lazyTimer)
    this.#lazyTimer = undefined
    if (this.#broken) return
    this.#waiting.push(...this.#lazy.splice(0))
    this.#commit()
  }

  #commit(): void {
    if (this.#underWay.length > 0 || this.#waiting.length === 0) return
    this.#underWay = [...this.#waiting, ...this.#lazy]
    this.#waiting = []
    this.#lazy = []
    clearTimeout(this.#lazyTimer)
    this.#lazyTimer = undefined
    this.#thread.postMessage({ writes: this.#underWay.map(({ write }) => write) } satisfies Commit)
  }

  #committed(results: Committed['results']): void {
    const done = this.#underWay
    this.#underWay = []
    this.#commit()
    done.forEach(({ resolve, reject }, index) => {
      const result = results[index]!
      if (typeof result === 'number') resolve(result)
      else reject(failed(result))
    })
  }

  #break(reason: string): void {
    if (this.#broken) return
    this.#broken = reason
    clearTimeout(this.#lazyTimer)
    const lost = [...this.#underWay, ...this.#waiting]
    this.#underWay = []
    this.#waiting = []
    this.#lazy = []
    for (const { reject } of lost) reject(failed(reason))
    if (!this.#closing) this.#onBroken(failed(reason))
  }
}
