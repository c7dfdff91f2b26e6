import { fromHex, type Hex, toHex } from '../hex.ts'
import { keccakBytes } from '../keccak.ts'
import { writeWord } from '../messages/word.ts'

/** A leaf: what it commits to, and what it weighs (1/100 atomic USDC). */
export interface SumLeaf {
  /** Receipt hash; in the earnings tree the worker's address as bytes32. */
  key: Hex
  /** paymentRef; in the earnings tree 0. */
  reference: Hex
  weight: bigint
}

export interface SumNode {
  hash: Hex
  sum: bigint
}

/** A leaf's way to the root: its siblings from the bottom up. */
export interface SumProof {
  index: number
  count: number
  siblings: SumNode[]
}

const MAX_SUM = (1n << 96n) - 1n
const EMPTY: SumNode = { hash: `0x${'00'.repeat(32)}`, sum: 0n }

/** Sums are packed as uint96. */
function sumBytes(sum: bigint): Uint8Array {
  if (sum < 0n || sum > MAX_SUM) throw new RangeError('a sum does not fit uint96')
  const word = new Uint8Array(32)
  writeWord(word, 0, 'uint96', sum)
  return word.subarray(20)
}

function concat(...parts: Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((size, part) => size + part.length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

/** keccak256(0x00 ‖ key ‖ reference ‖ uint96 weight). */
export const hashSumLeaf = ({ key, reference, weight }: SumLeaf): SumNode => ({
  hash: toHex(keccakBytes(concat(Uint8Array.of(0), fromHex(key), fromHex(reference), sumBytes(weight)))),
  sum: weight,
})

/** keccak256(0x01 ‖ left ‖ its sum ‖ right ‖ its sum). */
export const hashSumNode = (left: SumNode, right: SumNode): SumNode => ({
  hash: toHex(
    keccakBytes(
      concat(Uint8Array.of(1), fromHex(left.hash), sumBytes(left.sum), fromHex(right.hash), sumBytes(right.sum)),
    ),
  ),
  sum: left.sum + right.sum,
})

/** keccak256(0x02 ‖ uint32 count ‖ top ‖ sum). */
export function hashSumRoot(count: number, top: SumNode): Hex {
  const countBytes = new Uint8Array(4)
  new DataView(countBytes.buffer).setUint32(0, count)
  return toHex(keccakBytes(concat(Uint8Array.of(2), countBytes, fromHex(top.hash), sumBytes(top.sum))))
}

/** A Merkle-sum tree over leaves in the order given (protocol.md, Fraud proofs). Not for an empty list. */
export class SumTree {
  readonly root: Hex
  readonly sum: bigint
  readonly count: number
  readonly #levels: SumNode[][]

  constructor(leaves: readonly SumLeaf[]) {
    if (leaves.length === 0) throw new RangeError('a tree has at least one leaf')
    this.count = leaves.length
    let level = leaves.map(hashSumLeaf)
    let size = 1
    while (size < level.length) size *= 2
    while (level.length < size) level.push(EMPTY)
    this.#levels = [level]
    while (level.length > 1) {
      const next: SumNode[] = []
      for (let i = 0; i < level.length; i += 2) next.push(hashSumNode(level[i]!, level[i + 1]!))
      level = next
      this.#levels.push(level)
    }
    this.sum = level[0]!.sum
    this.root = hashSumRoot(this.count, level[0]!)
  }

  /** The proof of the leaf at `index`. */
  proof(index: number): SumProof {
    if (!Number.isInteger(index) || index < 0 || index >= this.count) throw new RangeError('no such leaf')
    const siblings = this.#levels.slice(0, -1).map((level, depth) => level[(index >> depth) ^ 1]!)
    return { index, count: this.count, siblings }
  }
}

/** True where the leaf lies at the proof's index below the root. */
export function verifySumProof(root: Hex, leaf: SumLeaf, { index, count, siblings }: SumProof): boolean {
  if (index < 0 || index >= count || siblings.length > 32 || count > 2 ** siblings.length) return false
  if (siblings.length > 0 && count <= 2 ** (siblings.length - 1)) return false
  let node = hashSumLeaf(leaf)
  siblings.forEach((sibling, depth) => {
    node = (index >> depth) & 1 ? hashSumNode(sibling, node) : hashSumNode(node, sibling)
  })
  return hashSumRoot(count, node) === root
}
