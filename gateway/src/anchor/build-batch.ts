import { setImmediate } from 'node:timers/promises'
import {
  addEarnings,
  type BatchHeader,
  type BatchLeaf,
  decodeBatchData,
  digestOfCid,
  type Earning,
  earningsTree,
  encodeBatchData,
  type Hex,
  receiptsTree,
  sortLeaves,
  ZERO_HASH,
} from '@peerhost/protocol'
import { type ImportedFile, importBytes } from '@peerhost/storage'
import type { ReceiptRecord } from '../store/store.ts'

export interface BuildBatchOptions {
  gateway: Hex
  index: bigint
  predecessor: Hex
  receipts: readonly ReceiptRecord[]
  earnings: readonly Earning[]
}

export interface Batch {
  header: BatchHeader
  /** The batch's data, cut into blocks below a dag-pb root. */
  data: ImportedFile
  earnings: Earning[]
}

/** Leaves that are read before other work gets its turn. */
const TURN = 100

/** The leaves that stored receipts hold; takes its time in turns, so that requests do not wait for a batch. */
async function readLeaves(receipts: readonly ReceiptRecord[]): Promise<BatchLeaf[]> {
  const leaves: BatchLeaf[] = []
  for (const { leaf, receiptHash } of receipts) {
    leaves.push(decodeBatchData(leaf, () => receiptHash).leaves[0]!)
    if (leaves.length % TURN === 0) await setImmediate()
  }
  return leaves
}

/** Makes a batch of receipts: its trees, its data and the header to anchor (protocol.md, ExecutionCoordinator). */
export async function buildBatch({
  gateway,
  index,
  predecessor,
  receipts,
  earnings: before,
}: BuildBatchOptions): Promise<Batch> {
  const leaves = sortLeaves(await readLeaves(receipts))
  const earnings = addEarnings(before, leaves)
  const tree = earningsTree(earnings)
  const data = await importBytes(encodeBatchData(leaves, earnings), { dagRoot: true })
  return {
    header: {
      gateway,
      index,
      predecessor,
      receiptsRoot: receiptsTree(leaves).root,
      earningsRoot: tree.root,
      dataDigest: digestOfCid(data.cid).digest,
      count: leaves.length,
      cumulativeWeight: tree.sum,
      reserved: ZERO_HASH,
    },
    data,
    earnings,
  }
}
