import { hkdf } from '@noble/hashes/hkdf.js'
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { fromHex, type Hex, toHex } from '../hex.ts'

/** Signs EIP-712 digests with one key that it does not show. Signatures are r, s, v in 65 bytes with low s. */
export interface MessageSigner {
  /** Lower case. */
  readonly address: Hex
  sign(digest: Hex): Hex
  /** The salt of a result: HMAC-SHA256(secret, assignmentHash) (protocol.md, `resultCommit`). */
  salt(assignmentHash: Hex): Hex
}

/** Returns the lower-case address that signed the digest, or undefined where the signature is not valid. */
export type Recover = (digest: Hex, signature: Hex) => Hex | undefined

/** secret = HKDF-SHA256(hot private key, no salt, info "PeerHost salt v1", 32 bytes); returns the salt function over it. */
export function saltOf(privateKey: Uint8Array): (assignmentHash: Hex) => Hex {
  const secret = hkdf(sha256, privateKey, undefined, new TextEncoder().encode('PeerHost salt v1'), 32)
  return (assignmentHash) => toHex(hmac(sha256, secret, fromHex(assignmentHash)))
}

/** Half the order of secp256k1: s above it is the other, malleable form of a signature (EIP-2). */
export const HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n
