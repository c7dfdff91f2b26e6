import { mkdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { Hex } from '@peerhost/protocol'
import { CLOCK_TOLERANCE_MS } from '../gateway/check-assignment.ts'

/** A result as it was first sent, CBOR of its frame: it is sent again, never made again. */
export interface StoredReceipt {
  assignmentHash: Hex
  receiptHash: Hex
  frame: Uint8Array
}

/** A promise waits this long at most for a receipt to share a commit with. */
const LAZY_MS = 250

const SCHEMA = `
  create table if not exists meta (name text primary key, value text not null) strict;
  create table if not exists receipts (
    assignment_hash text primary key, receipt_hash text not null, frame blob not null, created_ms integer not null
  ) strict, without rowid;
  create index if not exists receipts_by_hash on receipts (receipt_hash);
  create index if not exists receipts_by_age on receipts (created_ms);
  create table if not exists acceptances (receipt_hash text primary key, message blob not null, created_ms integer not null) strict, without rowid;
`

/** In place of a boot id: the database was closed, and nothing of it can be lost. */
const CLOSED = 'closed'
const BOOT_ID = '/proc/sys/kernel/random/boot_id'

/** Names this run of the machine's kernel; where it cannot be told, no two are the same. */
function currentBoot(): string {
  try {
    return readFileSync(BOOT_ID, 'utf8').trim()
  } catch {
    return String(process.hrtime.bigint())
  }
}

/**
 * The worker's receipts on disk. A receipt is written before it is sent (protocol.md, Messages), so that a worker which lost
 * its memory never signs a second answer to one assignment. No request waits for the disk itself: what was written
 * outlives the process, and where the machine has started anew, which may have lost the last of them, the database counts
 * as made anew, so that no request from before is answered again (docs/adr/0008).
 */
export class ReceiptStore {
  /** Milliseconds: since when nothing written can have been lost. Requests with an older clock may have been answered. */
  readonly createdMs: number
  readonly #db: DatabaseSync
  readonly #insert: StatementSync
  readonly #find: StatementSync
  readonly #has: StatementSync
  readonly #accept: StatementSync
  #waiting: { receipt: StoredReceipt; done: () => void; failed: (error: unknown) => void }[] = []
  #scheduled = false
  #promises: { receiptHash: Hex; message: Uint8Array }[] = []
  #lazy: NodeJS.Timeout | undefined

  /** @param boot names this run of the machine's kernel */
  constructor(path: string, boot: string = currentBoot()) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    this.#db = new DatabaseSync(path)
    this.#db.exec('pragma journal_mode = wal; pragma synchronous = full; pragma busy_timeout = 5000')
    this.#db.exec(SCHEMA)
    this.createdMs = this.#since(boot)
    this.#db.exec('pragma synchronous = normal')
    this.#insert = this.#db.prepare('insert into receipts values (?, ?, ?, ?)')
    this.#find = this.#db.prepare('select frame from receipts where assignment_hash = ?')
    this.#has = this.#db.prepare('select 1 from receipts where receipt_hash = ?')
    this.#accept = this.#db.prepare('insert or ignore into acceptances values (?, ?, ?)')
  }

  /** On the disk before anything is answered. */
  #since(boot: string): number {
    const read = this.#db.prepare('select value from meta where name = ?')
    const write = this.#db.prepare('insert or replace into meta values (?, ?)')
    const get = (name: string) => (read.get(name) as { value: string } | undefined)?.value
    const before = get('boot')
    if (before !== boot) {
      this.#db.exec('begin immediate')
      // A request answered before the machine went down may have come from a clock that is ahead by as much as is allowed.
      const ahead = before === undefined ? 0 : CLOCK_TOLERANCE_MS
      if (before !== CLOSED) write.run('created_ms', String(Date.now() + ahead))
      write.run('boot', boot)
      this.#db.exec('commit')
    }
    return Number(get('created_ms'))
  }

  find(assignmentHash: Hex): Uint8Array | undefined {
    return (this.#find.get(assignmentHash) as { frame: Uint8Array } | undefined)?.frame
  }

  /** Whether this worker gave that receipt. */
  has(receiptHash: Hex): boolean {
    return this.#has.get(receiptHash) !== undefined
  }

  /** Settles when the receipt is written. Those of one turn of the event loop share a commit. */
  save(receipt: StoredReceipt): Promise<void> {
    return new Promise((done, failed) => {
      this.#waiting.push({ receipt, done, failed })
      if (this.#scheduled) return
      this.#scheduled = true
      setImmediate(() => this.#commit())
    })
  }

  #commit(): void {
    const group = this.#waiting
    const promises = this.#promises
    this.#waiting = []
    this.#promises = []
    this.#scheduled = false
    clearTimeout(this.#lazy)
    this.#lazy = undefined
    if (!this.#db.isOpen || group.length + promises.length === 0) return
    try {
      this.#db.exec('begin immediate')
      for (const { receipt } of group)
        this.#insert.run(receipt.assignmentHash, receipt.receiptHash, receipt.frame, Date.now())
      for (const { receiptHash, message } of promises) this.#accept.run(receiptHash, message, Date.now())
      this.#db.exec('commit')
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('rollback')
      for (const { failed } of group) failed(error)
      return
    }
    for (const { done } of group) done()
  }

  /** Keeps a gateway's promise to anchor: evidence, should it break it. Nobody waits for it, so the disk is not asked at once. */
  saveAcceptance(receiptHash: Hex, message: Uint8Array): void {
    this.#promises.push({ receiptHash, message })
    this.#lazy ??= setTimeout(() => this.#commit(), LAZY_MS)
  }

  /** Forgets what is older; requests that old are refused by their clock. */
  prune(beforeMs: number): void {
    this.#db.prepare('delete from receipts where created_ms < ?').run(beforeMs)
    this.#db.prepare('delete from acceptances where created_ms < ?').run(beforeMs)
  }

  close(): void {
    if (this.#waiting.length + this.#promises.length > 0) this.#commit()
    this.#db.exec('pragma synchronous = full')
    this.#db.prepare('update meta set value = ? where name = ?').run(CLOSED, 'boot')
    this.#db.close()
  }
}
