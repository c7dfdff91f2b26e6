import { decode, encode } from 'cborg'
import { PeerHostError } from '../errors/peerhost-error.ts'
import { fromHex, type Hex, toHex, ZERO_HASH } from '../hex.ts'
import { type SumLeaf, SumTree } from '../merkle/sum-tree.ts'
import { messageFromArray, messageToArray } from '../messages/json.ts'
import type { Acceptance, Assignment, Receipt, Request } from '../messages/types.ts'

/** Flat fee of a call of a free service, in atomic USDC (protocol.md, Parameters). */
export const FREE_FEE = 100n
/** A worker's pay in 1/100 atomic USDC: 20 x price, or 90 x the flat fee for a free call with status 0. */
export const leafWeight = ({ price, status }: Pick<Receipt, 'price' | 'status'>, freeFee: bigint = FREE_FEE): bigint =>
  price > 0n ? 20n * price : status === 0 ? 90n * freeFee : 0n

/** What a `public` service's leaf also publishes. */
export interface PublishedRequest {
  request: Request
  assignment: Assignment
  assignmentSignature: Hex
  /** Canonical bytes behind inputHash. */
  input: Uint8Array
  body: Uint8Array
}

export interface BatchLeaf {
  /** EIP-712 digest; not part of the data, computed by who reads it. */
  receiptHash: Hex
  receipt: Receipt
  receiptSignature: Hex
  acceptance: Acceptance
  acceptanceSignature: Hex
  published?: PublishedRequest
}

/** A worker's weight since the gateway's first batch, 1/100 atomic USDC. */
export interface Earning {
  worker: Hex
  cumulative: bigint
}

const compareHex = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)

/** Leaves in the order of the receipts tree: by worker, then receipt hash. */
export const sortLeaves = (leaves: readonly BatchLeaf[]): BatchLeaf[] =>
  [...leaves].sort((a, b) => compareHex(a.receipt.worker, b.receipt.worker) || compareHex(a.receiptHash, b.receiptHash))

const receiptLeaf = ({ receiptHash, acceptance, receipt }: BatchLeaf, freeFee?: bigint): SumLeaf => ({
  key: receiptHash,
  reference: acceptance.paymentRef,
  weight: leafWeight(receipt, freeFee),
})

/** The receipts tree of sorted leaves. */
export const receiptsTree = (leaves: readonly BatchLeaf[], freeFee?: bigint): SumTree =>
  new SumTree(leaves.map((leaf) => receiptLeaf(leaf, freeFee)))

/** An address as bytes32: the key of the earnings tree. */
export const addressKey = (address: Hex): Hex => `0x${'00'.repeat(12)}${address.slice(2)}`

/** A worker's leaf in the earnings tree. */
export const earningLeaf = ({ worker, cumulative }: Earning): SumLeaf => ({
  key: addressKey(worker),
  reference: ZERO_HASH,
  weight: cumulative,
})

/** The earnings tree; earnings sorted by worker, unique. */
export const earningsTree = (earnings: readonly Earning[]): SumTree => new SumTree(earnings.map(earningLeaf))

/** Earnings after a batch: the ones before it plus its leaves' weights, sorted by worker. */
export function addEarnings(before: readonly Earning[], leaves: readonly BatchLeaf[], freeFee?: bigint): Earning[] {
  const totals = new Map(before.map(({ worker, cumulative }) => [worker, cumulative]))
  for (const { receipt } of leaves)
    totals.set(receipt.worker, (totals.get(receipt.worker) ?? 0n) + leafWeight(receipt, freeFee))
  return [...totals]
    .map(([worker, cumulative]) => ({ worker, cumulative }))
    .sort((a, b) => compareHex(a.worker, b.worker))
}

/** The batch's data on IPFS: CBOR [leaves, earnings] (protocol.md, Classes). */
export function encodeBatchData(leaves: readonly BatchLeaf[], earnings: readonly Earning[]): Uint8Array {
  const encodeLeaf = (leaf: BatchLeaf) => {
    const parts: unknown[] = [
      messageToArray('Receipt', leaf.receipt, fromHex),
      fromHex(leaf.receiptSignature),
      messageToArray('Acceptance', leaf.acceptance, fromHex),
      fromHex(leaf.acceptanceSignature),
    ]
    if (leaf.published) {
      const { request, assignment, assignmentSignature, input, body } = leaf.published
      parts.push(
        messageToArray('Request', request, fromHex),
        messageToArray('Assignment', assignment, fromHex),
        fromHex(assignmentSignature),
        input,
        body,
      )
    }
    return parts
  }
  return encode([leaves.map(encodeLeaf), earnings.map(({ worker, cumulative }) => [fromHex(worker), cumulative])])
}

const invalid = (detail: string) => new PeerHostError('PH_RECEIPT_INVALID', { detail })

/** Reads a batch's data; `hashReceipt` gives the digest of each receipt. Throws PH_RECEIPT_INVALID. */
export function decodeBatchData(
  bytes: Uint8Array,
  hashReceipt: (receipt: Receipt) => Hex,
): { leaves: BatchLeaf[]; earnings: Earning[] } {
  let value: unknown
  try {
    value = decode(bytes)
  } catch {
    throw invalid('the batch’s data is not CBOR')
  }
  if (!Array.isArray(value) || value.length !== 2 || !Array.isArray(value[0]) || !Array.isArray(value[1]))
    throw invalid('the batch’s data is not [leaves, earnings]')
  const signature = (part: unknown): Hex => {
    if (!(part instanceof Uint8Array) || part.length !== 65) throw invalid('a signature has not 65 bytes')
    return toHex(part)
  }
  const leaves = value[0].map((parts: unknown): BatchLeaf => {
    if (!Array.isArray(parts) || (parts.length !== 4 && parts.length !== 9))
      throw invalid('a leaf has not 4 or 9 parts')
    const receipt = messageFromArray('Receipt', parts[0], toHex)
    const leaf: BatchLeaf = {
      receipt,
      receiptHash: hashReceipt(receipt),
      receiptSignature: signature(parts[1]),
      acceptance: messageFromArray('Acceptance', parts[2], toHex),
      acceptanceSignature: signature(parts[3]),
    }
    if (parts.length === 9) {
      const [input, body] = parts.slice(7) as unknown[]
      if (!(input instanceof Uint8Array) || !(body instanceof Uint8Array))
        throw invalid('a published input is not bytes')
      leaf.published = {
        request: messageFromArray('Request', parts[4], toHex),
        assignment: messageFromArray('Assignment', parts[5], toHex),
        assignmentSignature: signature(parts[6]),
        input,
        body,
      }
    }
    return leaf
  })
  const earnings = value[1].map((pair: unknown): Earning => {
    if (!Array.isArray(pair) || pair.length !== 2 || !(pair[0] instanceof Uint8Array) || pair[0].length !== 20)
      throw invalid('an earning is not [worker, cumulative]')
    return { worker: toHex(pair[0]), cumulative: BigInt(pair[1] as number | bigint) }
  })
  return { leaves, earnings }
}
