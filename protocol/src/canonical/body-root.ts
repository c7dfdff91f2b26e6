import { type Hex, toHex, ZERO_HASH } from '../hex.ts'
import { keccakBytes } from '../keccak.ts'

/** Bytes of a body in one leaf. */
export const BODY_CHUNK = 4096

const ZERO = new Uint8Array(32)

function hashLeaf(chunk: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + chunk.length)
  bytes.set(chunk, 1)
  return keccakBytes(bytes)
}

function hashNode(left: Uint8Array, right: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(65)
  bytes[0] = 1
  bytes.set(left, 1)
  bytes.set(right, 33)
  return keccakBytes(bytes)
}

/**
 * Merkle root over 4 KiB chunks: leaf keccak256(0x00 ‖ chunk), node keccak256(0x01 ‖ left ‖ right), padded to a power of
 * two with zero hashes; an empty body is 0 (protocol.md, `inputHash`).
 */
export function bodyRoot(body: Uint8Array): Hex {
  if (body.length === 0) return ZERO_HASH
  let level: Uint8Array[] = []
  for (let at = 0; at < body.length; at += BODY_CHUNK) level.push(hashLeaf(body.subarray(at, at + BODY_CHUNK)))
  let size = 1
  while (size < level.length) size *= 2
  while (level.length < size) level.push(ZERO)
  while (level.length > 1) {
    const next: Uint8Array[] = []
    for (let i = 0; i < level.length; i += 2) next.push(hashNode(level[i]!, level[i + 1]!))
    level = next
  }
  return toHex(level[0]!)
}
