import type { Hex } from '../hex.ts'
import { keccak256 } from '../keccak.ts'
import { encodeWords } from '../messages/word.ts'

/** What `anchor` stores a commitment of (protocol.md, ExecutionCoordinator). */
export interface BatchHeader {
  gateway: Hex
  /** From 0. */
  index: bigint
  /** keccak256 of the header before, or 0. */
  predecessor: Hex
  receiptsRoot: Hex
  earningsRoot: Hex
  /** sha-256 of the data's root block on IPFS, always dag-pb. */
  dataDigest: Hex
  count: number
  /** Sum of all workers' cumulative weights, 1/100 atomic USDC. */
  cumulativeWeight: bigint
  reserved: Hex
}

/** keccak256(abi.encode(header)). */
export const batchHeaderHash = (header: BatchHeader): Hex =>
  keccak256(
    encodeWords([
      ['address', header.gateway],
      ['uint64', header.index],
      ['bytes32', header.predecessor],
      ['bytes32', header.receiptsRoot],
      ['bytes32', header.earningsRoot],
      ['bytes32', header.dataDigest],
      ['uint32', header.count],
      ['uint96', header.cumulativeWeight],
      ['bytes32', header.reserved],
    ]),
  )
