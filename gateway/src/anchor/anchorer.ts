import { Outage } from '@peerhost/chain'
import {
  batchHeaderHash,
  cidOfDigest,
  DAG_PB,
  type Hex,
  isPeerHostError,
  toPeerHostError,
  ZERO_HASH,
} from '@peerhost/protocol'
import type { Context } from '../context.ts'
import type { BatchRecord, ReceiptRecord } from '../store/store.ts'
import { buildBatch } from './build-batch.ts'
import { headerFromJson, headerToJson } from './header-json.ts'
import { type AnchoredHead, coordinatorInterface, findHeader, isHead, readData, readHead } from './read-head.ts'

export type AnchorerContext = Pick<
  Context,
  'config' | 'gateway' | 'domain' | 'chain' | 'sender' | 'store' | 'content' | 'sources' | 'metrics' | 'log'
>

/** Milliseconds between two looks whether enough receipts wait for a batch of their own. */
const LOOK_MS = 1_000
const ANCHOR_GAS = 250_000n
/** Published requests have bodies: what makes a batch of its own before the count does. */
const MAX_BATCH_BYTES = 32 * 1024 * 1024

/**
 * Keeps the promise of each Acceptance: batches receipts, stores their data and anchors them, one batch after another.
 * A batch is in the store before its transaction is sent, and the chain says after a crash which ones arrived.
 */
export class Anchorer {
  readonly #context: AnchorerContext
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #stopped = false
  #lastAt = 0
  readonly #outage: Outage
  /** Why anchoring stands still, for /readyz. */
  problem: string | undefined

  constructor(context: AnchorerContext) {
    this.#context = context
    const { log } = context
    this.#outage = new Outage({
      onFailure: ({ code, message, hint }, count) => log('error', 'anchoring failed', { code, message, hint, count }),
      onOver: (count) => log('info', 'anchoring works again', { failures: count }),
    })
  }

  /** Finishes what a former run left open, then anchors at intervals. */
  async start(): Promise<void> {
    await this.#attempt()
    const next = () => {
      if (this.#stopped) return
      this.#timer = setTimeout(
        () => {
          const { config, store } = this.#context
          const isDue =
            Date.now() - this.#lastAt >= config.anchorIntervalMs || store.countPending() >= config.anchorCount
          void (isDue ? this.#attempt() : Promise.resolve()).finally(next)
        },
        Math.min(LOOK_MS, this.#context.config.anchorIntervalMs),
      )
    }
    next()
  }

  /** Anchors what is waiting, once more before the end. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#attempt()
  }

  /** Anchors everything that waits; one at a time. Throws what keeps it from doing so. */
  async anchor(): Promise<void> {
    if (this.#running) await this.#running.catch(() => {})
    this.#running ??= this.#anchorAll().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #attempt(): Promise<void> {
    this.#lastAt = Date.now()
    try {
      await this.anchor()
      this.problem = undefined
      this.#outage.worked()
    } catch (cause) {
      const error = toPeerHostError(cause)
      this.problem = `${error.code}: ${error.message}`
      this.#outage.failed(error)
    }
  }

  async #anchorAll(): Promise<void> {
    const { store, config } = this.#context
    let head = await this.#catchUp()
    for (;;) {
      const receipts = store.pendingReceipts(config.anchorCount, MAX_BATCH_BYTES)
      if (receipts.length === 0) return
      head = await this.#anchorNext(head, receipts)
    }
  }

  #readHead(hint: number | undefined): Promise<AnchoredHead | undefined> {
    const { chain, config, gateway } = this.#context
    return readHead(chain.provider, config.contracts.ExecutionCoordinator, gateway, hint)
  }

  /** Brings the store and the chain to the same last batch and returns its hash. */
  async #catchUp(): Promise<Hex> {
    const { store } = this.#context
    const last = store.batch()
    const onChain = await this.#readHead(last?.index)
    if (last && isHead(onChain, last)) {
      if (!last.anchored) await this.#arrived(last)
      return last.headerHash
    }
    // Batches that never arrived, or that a re-organisation took back: send them again from the one the chain has.
    const missing: BatchRecord[] = []
    let record = last
    while (record && !isHead(onChain, record)) {
      missing.unshift(record)
      record = record.index > 0 ? store.batch(record.index - 1) : undefined
    }
    if (onChain && !record) return this.#restore(onChain)
    for (const each of missing) await this.#send(each)
    return missing.at(-1)?.headerHash ?? record?.headerHash ?? ZERO_HASH
  }

  /**
   * The store is younger than the chain, or as old as a backup: takes over the earnings that the last batch names, and
   * which of the receipts that wait here are in batches that the store does not know. One anchored twice would be a fault.
   */
  async #restore(onChain: AnchoredHead): Promise<Hex> {
    const { store, sources, domain, log } = this.#context
    const last = store.batch()
    const record = await this.#recordOf(onChain)
    const { leaves, earnings } = await readData(headerFromJson(record.header), domain, sources)
    const anchored = leaves.map(({ receiptHash }) => receiptHash)
    let older = record
    while (store.countPending() > 0 && older.index > 0) {
      const hashPrefix = headerFromJson(older.header).predecessor
      if (last && isHead({ index: older.index - 1, hashPrefix }, last)) break
      older = await this.#recordOf({ index: older.index - 1, hashPrefix })
      const data = await readData(headerFromJson(older.header), domain, sources)
      for (const { receiptHash } of data.leaves) anchored.push(receiptHash)
    }
    const cumulative = earnings.map((each) => [each.worker, each.cumulative] as const)
    await store.restoreBatch(record, cumulative, anchored)
    log('warning', 'batches restored from the chain', { index: record.index })
    return record.headerHash
  }

  /** What the store keeps of a batch that is on the chain. */
  async #recordOf(head: AnchoredHead): Promise<BatchRecord> {
    const { chain, config, gateway } = this.#context
    const { ExecutionCoordinator } = config.contracts
    const { header, headerHash } = await findHeader(
      chain.provider,
      ExecutionCoordinator,
      gateway,
      head,
      config.fromBlock,
    )
    return {
      index: Number(header.index),
      headerHash,
      header: headerToJson(header),
      dataCid: cidOfDigest(header.dataDigest, DAG_PB),
      anchored: true,
    }
  }

  async #anchorNext(predecessor: Hex, receipts: ReceiptRecord[]): Promise<Hex> {
    const { gateway, store, content } = this.#context
    const last = store.batch()
    const { header, data, earnings } = await buildBatch({
      gateway,
      index: last ? BigInt(last.index) + 1n : 0n,
      predecessor,
      receipts,
      earnings: store.earnings(),
    })
    await content.put(data)
    const record = {
      index: Number(header.index),
      headerHash: batchHeaderHash(header),
      header: headerToJson(header),
      dataCid: data.cid,
      anchored: false,
    }
    await store.addBatch(
      record,
      receipts.map(({ receiptHash }) => receiptHash),
      earnings.map(({ worker, cumulative }) => [worker, cumulative] as const),
    )
    await this.#send(record)
    return record.headerHash
  }

  async #send(record: BatchRecord): Promise<void> {
    const { config, sender } = this.#context
    const { ExecutionCoordinator } = config.contracts
    const data = coordinatorInterface.encodeFunctionData('anchor', [headerFromJson(record.header)]) as Hex
    try {
      const { wait } = await sender.send({ to: ExecutionCoordinator, data, gasLimit: ANCHOR_GAS })
      await wait()
    } catch (error) {
      // It may have arrived by an earlier transaction that nobody waited for.
      const head = await this.#readHead(record.index).catch(() => undefined)
      if (!isHead(head, record) || isPeerHostError(error, 'PH_CHAIN_TIMEOUT')) throw error
    }
    await this.#arrived(record)
  }

  async #arrived(record: BatchRecord): Promise<void> {
    const { store, metrics, log } = this.#context
    await store.markAnchored(record.index)
    const { count } = headerFromJson(record.header)
    metrics.anchored.inc(count)
    log('info', 'batch anchored', { index: record.index, count, data: record.dataCid })
  }
}
