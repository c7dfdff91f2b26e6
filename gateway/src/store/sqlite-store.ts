import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Hex, PeerHostError } from '@peerhost/protocol'
import { GroupCommit, type Write } from './group-commit.ts'
import { SCHEMA } from './sqlite-schema.ts'
import { Statements } from './statements.ts'
import type { BatchRecord, LogQuery, LogRecord, PaymentRecord, ReceiptRecord, Store } from './store.ts'

export interface SqliteStoreOptions {
  /** The database's file. */
  file: string
  /** Bytes of logs that are kept of one function. */
  logBytes?: number
  /** Milliseconds that the answer of a settled payment is kept for a second delivery. */
  answerMs?: number
  /** Batches whose receipts are kept after they were anchored. */
  keepBatches?: number
  /** Told once that nothing can be written any more. */
  onFailure?: (error: PeerHostError) => void
}

type Row = Record<string, string | number | bigint | Uint8Array | null>

const PAYMENT_COLUMNS = 'ref, state, binding, "authorization", expires_at, created_at, transaction_hash, answer'

const toPayment = (row: Row): PaymentRecord => ({
  ref: row.ref as Hex,
  state: row.state as PaymentRecord['state'],
  binding: row.binding as Hex,
  authorization: row.authorization as string,
  expiresAt: row.expires_at as number,
  createdAt: row.created_at as number,
  transaction: (row.transaction_hash as Hex | null) ?? undefined,
  answer: (row.answer as Uint8Array | null) ?? undefined,
})

const toBatch = (row: Row): BatchRecord => ({
  index: row.batch_index as number,
  headerHash: row.header_hash as Hex,
  header: row.header as string,
  dataCid: row.data_cid as string,
  anchored: row.anchored === 1,
})

type Statement = Write[number]

const insertReceipt = ({ receiptHash, leaf, anchorBy }: ReceiptRecord): Statement => [
  'INSERT OR IGNORE INTO receipts (receipt_hash, leaf, anchor_by) VALUES (?, ?, ?)',
  receiptHash,
  leaf,
  anchorBy,
]

const insertBatch = (
  { index, headerHash, header, dataCid, anchored }: BatchRecord,
  earnings: readonly (readonly [Hex, bigint])[],
): Statement[] => [
  [
    'INSERT OR REPLACE INTO batches (batch_index, header_hash, header, data_cid, anchored) VALUES (?, ?, ?, ?, ?)',
    index,
    headerHash,
    header,
    dataCid,
    anchored ? 1 : 0,
  ],
  ...earnings.map(
    ([worker, cumulative]): Statement => ['INSERT OR REPLACE INTO earnings VALUES (?, ?)', worker, String(cumulative)],
  ),
]

/** Deletes a function's oldest logs until no more than so many bytes are left. */
const TRIM_LOGS = `
DELETE FROM logs WHERE function = ? AND id <= (
  SELECT id FROM (SELECT id, sum(size) OVER (ORDER BY id DESC) AS bytes FROM logs WHERE function = ?)
  WHERE bytes > ? ORDER BY id DESC LIMIT 1)`

/** The gateway's state in one SQLite file (WAL, every commit on the disk before it counts). */
export class SqliteStore implements Store {
  readonly createdAt: number
  readonly #database: DatabaseSync
  readonly #commits: GroupCommit
  readonly #options: Required<Omit<SqliteStoreOptions, 'file' | 'onFailure'>>
  readonly #statements: Statements
  readonly #logBytes = new Map<string, number>()
  #closing: Promise<void> | undefined

  constructor(options: SqliteStoreOptions) {
    const { file, logBytes = 1024 * 1024, answerMs = 24 * 3_600_000, keepBatches = 100, onFailure } = options
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    this.#options = { logBytes, answerMs, keepBatches }
    this.#database = new DatabaseSync(file)
    this.#statements = new Statements(this.#database)
    this.#database.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=5000')
    this.#database.exec(SCHEMA)
    this.#database.prepare('INSERT OR IGNORE INTO meta VALUES (?, ?)').run('created', String(Date.now()))
    this.createdAt = Number(this.meta('created'))
    this.#commits = new GroupCommit(this.#database, file, onFailure)
  }

  async reserve(payment: PaymentRecord): Promise<PaymentRecord | undefined> {
    const inserted = await this.#commits.write([
      [
        `INSERT OR IGNORE INTO payments (${PAYMENT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, NULL, NULL)`,
        payment.ref,
        payment.state,
        payment.binding,
        payment.authorization,
        payment.expiresAt,
        payment.createdAt,
      ],
    ])
    // Where it was there and is gone again already, it was freed: as good as under way for who came second.
    return inserted === 1 ? undefined : (this.payment(payment.ref) ?? payment)
  }

  release(ref: Hex): Promise<void> {
    return this.#write(["DELETE FROM payments WHERE ref = ? AND state IN ('reserved', 'settling')", ref])
  }

  payment(ref: Hex): PaymentRecord | undefined {
    const row = this.#get(`SELECT ${PAYMENT_COLUMNS} FROM payments WHERE ref = ?`, ref)
    return row && toPayment(row)
  }

  settling(ref: Hex, answer: Uint8Array): Promise<void> {
    return this.#write([
      "UPDATE payments SET state = 'settling', answer = ? WHERE ref = ? AND state = 'reserved'",
      answer,
      ref,
    ])
  }

  settled(ref: Hex, transaction: Hex, answer: Uint8Array, receipt: ReceiptRecord): Promise<void> {
    return this.#write(
      [
        "UPDATE payments SET state = 'settled', transaction_hash = ?, answer = ? WHERE ref = ? AND state = 'settling'",
        transaction,
        answer,
        ref,
      ],
      insertReceipt(receipt),
    )
  }

  delivered(ref: Hex): Promise<void> {
    return this.#write(["UPDATE payments SET state = 'delivered' WHERE ref = ? AND state = 'settled'", ref])
  }

  openPayments(): Hex[] {
    return this.#all("SELECT ref FROM payments WHERE state IN ('reserved', 'settling') ORDER BY created_at").map(
      ({ ref }) => ref as Hex,
    )
  }

  addReceipt(receipt: ReceiptRecord): Promise<void> {
    return this.#write(insertReceipt(receipt))
  }

  pendingReceipts(limit: number, maxBytes: number): ReceiptRecord[] {
    const found: ReceiptRecord[] = []
    let bytes = 0
    const rows = this.#statements
      .get('SELECT receipt_hash, leaf, anchor_by FROM receipts WHERE batch_index IS NULL ORDER BY id LIMIT ?')
      .iterate(limit) as Iterable<Row>
    for (const row of rows) {
      const leaf = row.leaf as Uint8Array
      bytes += leaf.length
      if (bytes > maxBytes && found.length > 0) break
      found.push({ receiptHash: row.receipt_hash as Hex, leaf, anchorBy: row.anchor_by as number })
    }
    return found
  }

  countPending(): number {
    return Number(this.#get('SELECT count(*) AS n FROM receipts WHERE batch_index IS NULL')!.n)
  }

  addBatch(batch: BatchRecord, receipts: readonly Hex[], earnings: readonly (readonly [Hex, bigint])[]): Promise<void> {
    return this.#write(
      ...insertBatch(batch, earnings),
      ...receipts.map(
        (hash) => ['UPDATE receipts SET batch_index = ? WHERE receipt_hash = ?', batch.index, hash] as const,
      ),
    )
  }

  batch(index?: number): BatchRecord | undefined {
    const row =
      index === undefined
        ? this.#get('SELECT * FROM batches ORDER BY batch_index DESC LIMIT 1')
        : this.#get('SELECT * FROM batches WHERE batch_index = ?', index)
    return row && toBatch(row)
  }

  markAnchored(index: number): Promise<void> {
    return this.#write(['UPDATE batches SET anchored = 1 WHERE batch_index = ?', index])
  }

  earnings(): { worker: Hex; cumulative: bigint }[] {
    return this.#all('SELECT worker, cumulative FROM earnings ORDER BY worker').map((row) => ({
      worker: row.worker as Hex,
      cumulative: BigInt(row.cumulative as string),
    }))
  }

  restoreBatch(
    batch: BatchRecord,
    earnings: readonly (readonly [Hex, bigint])[],
    anchored: readonly Hex[],
  ): Promise<void> {
    return this.#write(
      ['DELETE FROM earnings'],
      ['UPDATE receipts SET batch_index = NULL WHERE batch_index >= ?', batch.index],
      ['DELETE FROM batches WHERE batch_index >= ?', batch.index],
      ...insertBatch(batch, earnings),
      ...anchored.map(
        (hash) => ['UPDATE receipts SET batch_index = ? WHERE receipt_hash = ?', batch.index, hash] as const,
      ),
    )
  }

  addLog(functionName: string, record: LogRecord): void {
    if (this.#closing) return
    const text = JSON.stringify(record)
    const write: Statement[] = [
      ['INSERT INTO logs (function, size, record) VALUES (?, ?, ?)', functionName, text.length, text],
    ]
    const { logBytes } = this.#options
    let bytes = (this.#logBytes.get(functionName) ?? this.#readLogBytes(functionName)) + text.length
    if (bytes > logBytes) {
      bytes = (logBytes * 3) / 4 // a quarter at a time, so that not each line costs a search
      write.push([TRIM_LOGS, functionName, functionName, bytes])
    }
    this.#logBytes.set(functionName, bytes)
    this.#commits.writeSoon(write) // a lost log line fails no request
  }

  logs({ function: functionName, since, limit }: LogQuery): { cursor: number; record: LogRecord }[] {
    const rows =
      since === undefined
        ? this.#all(
            'SELECT id, record FROM logs WHERE function = ? ORDER BY id DESC LIMIT ?',
            functionName,
            limit,
          ).reverse()
        : this.#all(
            'SELECT id, record FROM logs WHERE function = ? AND id > ? ORDER BY id LIMIT ?',
            functionName,
            since,
            limit,
          )
    return rows.map((row) => ({ cursor: row.id as number, record: JSON.parse(row.record as string) as LogRecord }))
  }

  meta(key: string): string | undefined {
    return this.#get('SELECT value FROM meta WHERE key = ?', key)?.value as string | undefined
  }

  setMeta(key: string, value: string): void {
    this.#write(['INSERT OR REPLACE INTO meta VALUES (?, ?)', key, value]).catch(() => {})
  }

  prune(now: number): Promise<void> {
    return this.#write(
      // A record outlives its authorization, or the same payment could run a second time.
      [
        "DELETE FROM payments WHERE state IN ('settled', 'delivered') AND created_at < ? AND expires_at < ?",
        now - this.#options.answerMs,
        now - 3_600_000,
      ],
      // Some authorizations never end: their answers need not be kept as long.
      [
        "UPDATE payments SET answer = NULL WHERE state IN ('settled', 'delivered') AND created_at < ? AND answer IS NOT NULL",
        now - this.#options.answerMs,
      ],
      [
        'DELETE FROM receipts WHERE batch_index < (SELECT max(batch_index) FROM batches WHERE anchored = 1) - ?',
        this.#options.keepBatches,
      ],
    )
  }

  close(): Promise<void> {
    this.#closing ??= this.#commits.close().then(() => this.#database.close())
    return this.#closing
  }

  #readLogBytes(functionName: string): number {
    return Number(this.#get('SELECT total(size) AS n FROM logs WHERE function = ?', functionName)!.n)
  }

  async #write(...statements: Statement[]): Promise<void> {
    await this.#commits.write(statements)
  }

  #get(sql: string, ...values: (string | number)[]): Row | undefined {
    return this.#statements.get(sql).get(...values) as Row | undefined
  }

  #all(sql: string, ...values: (string | number)[]): Row[] {
    return this.#statements.get(sql).all(...values) as Row[]
  }
}
