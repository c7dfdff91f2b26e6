import { closeSync, fdatasync, openSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { Worker } from 'node:worker_threads'
import { PeerHostError } from '@peerhost/protocol'
import { Statements } from './statements.ts'

export type SqlValue = string | number | Uint8Array | null
/** Statements with their values, all or none of them. */
export type Write = readonly (readonly [sql: string, ...values: SqlValue[]])[]

/** Written, and not known to be on the disk. */
interface Waiting {
  resolve: () => void
  reject: (error: PeerHostError) => void
}

const LAZY_MS = 500
const MAX_LAZY = 100

const failed = (detail: string) => new PeerHostError('PH_GATEWAY_STORE_FAILED', { detail })
const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))

/**
 * Writes to a SQLite database in WAL mode. A commit appends to its log, which takes microseconds; what takes long is to have
 * the disk keep it. That is done in libuv's pool, and once for all that was written before: so `write` means what
 * `synchronous=FULL` means, and nobody else waits for it.
 */
export class GroupCommit {
  readonly #database: DatabaseSync
  readonly #log: number
  readonly #checkpoints: Worker
  readonly #exited: Promise<void>
  readonly #statements: Statements
  #waiting: Waiting[] = []
  #underWay: Waiting[] = []
  /** What needs no commit of its own. */
  #lazy: Write[] = []
  #lazyTimer: NodeJS.Timeout | undefined
  #broken: string | undefined
  readonly #onBroken: (error: PeerHostError) => void

  /**
   * @param database in WAL mode, its schema made; closed by the caller, after this
   * @param onBroken told once, where the disk fails: nothing can be promised any more
   */
  constructor(database: DatabaseSync, file: string, onBroken: (error: PeerHostError) => void = () => {}) {
    this.#database = database
    this.#statements = new Statements(database)
    this.#onBroken = onBroken
    // The same safety as FULL but for the wait at each commit, which is #sync's; and no checkpoint in a request's way.
    database.exec('PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=0')
    this.#log = openSync(`${file}-wal`, 'r+')
    const program = import.meta.url.endsWith('.ts') ? './checkpoint-thread.ts' : './checkpoint-thread.js'
    this.#checkpoints = new Worker(new URL(program, import.meta.url), { workerData: file })
    this.#checkpoints.on('error', (error) => this.#break(error.message))
    this.#exited = new Promise((resolve) => this.#checkpoints.once('exit', () => resolve()))
  }

  /** Resolves, once it is on the disk, with the rows that the first statement changed. */
  async write(write: Write): Promise<number> {
    const changes = this.#run([write])
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#sync()
    })
    return changes
  }

  /** The same, in no hurry: with others, half a second later. Nobody is told. */
  writeSoon(write: Write): void {
    if (this.#broken) return
    this.#lazy.push(write)
    this.#lazyTimer ??= setTimeout(() => this.#flushLazy(), LAZY_MS)
    if (this.#lazy.length >= MAX_LAZY) this.#flushLazy()
  }

  /** Finishes what is waiting; the database can be closed then. */
  async close(): Promise<void> {
    this.#flushLazy()
    while (!this.#broken && this.#waiting.length + this.#underWay.length > 0)
      await this.write([['SELECT 1']]).catch(() => {}) // broken then, and those who wrote are told
    this.#broken ??= 'it is closed'
    this.#checkpoints.postMessage('end')
    await this.#exited
    closeSync(this.#log)
  }

  #run(writes: readonly Write[]): number {
    if (this.#broken) throw failed(this.#broken)
    const database = this.#database
    try {
      let first: number | undefined
      database.exec('BEGIN IMMEDIATE')
      for (const [sql, ...values] of writes.flat()) {
        const { changes } = this.#statements.get(sql).run(...values)
        first ??= Number(changes)
      }
      database.exec('COMMIT')
      return first ?? 0
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK')
      throw failed(messageOf(error))
    }
  }

  #flushLazy(): void {
    clearTimeout(this.#lazyTimer)
    this.#lazyTimer = undefined
    const writes = this.#lazy.splice(0)
    try {
      if (writes.length > 0) this.#run(writes)
    } catch {} // nobody is told
  }

  /** What is written while the disk works waits for its next turn. */
  #sync(): void {
    if (this.#underWay.length > 0 || this.#waiting.length === 0) return
    this.#underWay = this.#waiting
    this.#waiting = []
    fdatasync(this.#log, (error) => {
      if (error) return this.#break(error.message)
      const kept = this.#underWay
      this.#underWay = []
      this.#sync()
      for (const { resolve } of kept) resolve()
    })
  }

  /** After a failure nobody can tell what the disk has: trying again would only seem to succeed. */
  #break(reason: string): void {
    if (this.#broken) return
    this.#broken = reason
    clearTimeout(this.#lazyTimer)
    const lost = [...this.#underWay, ...this.#waiting]
    this.#underWay = []
    this.#waiting = []
    this.#lazy = []
    for (const { reject } of lost) reject(failed(reason))
    this.#onBroken(failed(reason))
  }
}
