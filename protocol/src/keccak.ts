import { keccak_256 } from '@noble/hashes/sha3.js'
import { type Hex, toHex } from './hex.ts'

// A hasher's state takes longer to allocate than a short message takes to hash, so one serves all; hashing never awaits.
const start = keccak_256.create()
const hasher = start.clone()
let hash = (bytes: Uint8Array): Uint8Array => start._cloneInto(hasher).update(bytes).digest()

/** Puts another implementation of keccak256 in place of the portable one, for all of the process. */
export function replaceKeccak(implementation: (bytes: Uint8Array) => Uint8Array): void {
  hash = implementation
}

/** keccak256 of bytes, as bytes. */
export const keccakBytes = (bytes: Uint8Array): Uint8Array => hash(bytes)

/** keccak256 of bytes. */
export const keccak256 = (bytes: Uint8Array): Hex => toHex(keccakBytes(bytes))
