import { keccak_256 } from '@noble/hashes/sha3.js'
import { type Hex, toHex } from './hex.ts'

/** keccak256 of bytes, as bytes. */
export const keccakBytes: (bytes: Uint8Array) => Uint8Array = keccak_256

/** keccak256 of bytes. */
export const keccak256 = (bytes: Uint8Array): Hex => toHex(keccak_256(bytes))
