import type { Hex } from '@peerhost/protocol'

/**
 * Where a payment stands. `reserved`: its handler may be running. `settling`: the answer is stored, a transaction may be
 * out. `settled`: the money is in and the receipt is promised. `delivered`: the answer was handed to the connection.
 */
export type PaymentState = 'reserved' | 'settling' | 'settled' | 'delivered'

/** One x402 payment; its key is what makes it run once. */
export interface PaymentRecord {
  /** Unique: one authorization, one record (protocol.md, `paymentRef`). */
  ref: Hex
  state: PaymentState
  /** keccak256 over service and input: the request that it pays for. */
  binding: Hex
  /** The signed authorization as JSON, to settle it after a crash. */
  authorization: string
  /** Milliseconds since 1970 when nobody can submit it any more. */
  expiresAt: number
  createdAt: number
  transaction?: Hex
  /** The answer, from `settling` on (call/completed-call.ts). */
  answer?: Uint8Array
}

/** A receipt that was promised to be anchored. */
export interface ReceiptRecord {
  receiptHash: Hex
  /** One leaf as batch data (anchor/leaf-bytes.ts). */
  leaf: Uint8Array
  /** Seconds since 1970: the promise. */
  anchorBy: number
}

export interface BatchRecord {
  index: number
  headerHash: Hex
  /** The header as JSON (anchor/header-json.ts). */
  header: string
  dataCid: string
  anchored: boolean
}

/** One invocation, for the function's owner. */
export interface LogRecord {
  requestId: Hex
  /** Milliseconds since 1970. */
  time: number
  status: number
  httpStatus?: number
  durationMs: number
  worker: Hex
  start: 'forked' | 'cold'
  version: number
  error?: { code: string; message: string }
  lines: string
}

export interface LogQuery {
  /** `<owner>/<project>/<function>`. */
  function: string
  /** Records after this cursor. */
  since?: number
  limit: number
}

/**
 * A gateway's state. Each write resolves when it is on the disk. SQLite serves one process; replicas share an engine
 * behind the same interface, where the same unique keys decide.
 */
export interface Store {
  /** Milliseconds since 1970 when this store was made: what was paid before it cannot be judged. */
  readonly createdAt: number

  /** Takes a payment for one request; the record that was there first if somebody has it already. */
  reserve(payment: PaymentRecord): Promise<PaymentRecord | undefined>
  /** Frees a payment that was not charged. */
  release(ref: Hex): Promise<void>
  payment(ref: Hex): PaymentRecord | undefined
  /** The function has answered: keeps the answer before money moves. */
  settling(ref: Hex, answer: Uint8Array): Promise<void>
  /** The money is in: keeps the final answer and the promised receipt, both or neither. */
  settled(ref: Hex, transaction: Hex, answer: Uint8Array, receipt: ReceiptRecord): Promise<void>
  delivered(ref: Hex): Promise<void>
  /** Payments that are neither free nor settled, the oldest first. */
  openPayments(): Hex[]

  /** Keeps a promised receipt of an unpaid call. */
  addReceipt(receipt: ReceiptRecord): Promise<void>
  /** Receipts that are in no batch yet, oldest first; no more than `limit`, nor than one above `maxBytes` of leaves. */
  pendingReceipts(limit: number, maxBytes: number): ReceiptRecord[]
  countPending(): number

  /** Keeps a batch that is about to be anchored, with its receipts and the earnings after it. */
  addBatch(batch: BatchRecord, receipts: readonly Hex[], earnings: readonly (readonly [Hex, bigint])[]): Promise<void>
  /** The last batch, or the one of that index. */
  batch(index?: number): BatchRecord | undefined
  markAnchored(index: number): Promise<void>
  earnings(): { worker: Hex; cumulative: bigint }[]
  /**
   * Puts what the chain knows in place of what is here: its last batch and the earnings after it. Receipts that were meant
   * for this batch or a later one wait for another, but for those that are anchored.
   */
  restoreBatch(
    batch: BatchRecord,
    earnings: readonly (readonly [Hex, bigint])[],
    anchored: readonly Hex[],
  ): Promise<void>

  addLog(functionName: string, record: LogRecord): void
  logs(query: LogQuery): { cursor: number; record: LogRecord }[]

  meta(key: string): string | undefined
  setMeta(key: string, value: string): void
  /** Forgets what is older than it has to be. */
  prune(now: number): Promise<void>
  close(): Promise<void>
}
