import {
  addEarnings,
  type BatchHeader,
  type BatchLeaf,
  type Domain,
  decodeBatchData,
  digestOfCid,
  type Earning,
  earningsTree,
  encodeBatchData,
  type Hex,
  hashMessage,
  receiptsTree,
  sortLeaves,
  ZERO_HASH,
} from '@peerhost/protocol'
import { type ImportedFile, importBytes } from '@peerhost/storage'
import type { ReceiptRecord } from '../store/store.ts'

export interface BuildBatchOptions {
  domain: Domain
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

/** The leaf that a stored receipt holds. */
export const readLeaf = (domain: Domain, { leaf }: Pick<ReceiptRecord, 'leaf'>): BatchLeaf =>
  decodeBatchData(leaf, (receipt) => hashMessage(domain, 'Receipt', receipt)).leaves[0]!

/** Makes a batch of receipts: its trees, its data and the header to anchor (protocol.md, ExecutionCoordinator). */
export async function buildBatch({
  domain,
  gateway,
  index,
  predecessor,
  receipts,
  earnings: before,
}: BuildBatchOptions): Promise<Batch> {
  const leaves = sortLeaves(receipts.map((receipt) => readLeaf(domain, receipt)))
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
