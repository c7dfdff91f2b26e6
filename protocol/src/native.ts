// The hot path's signatures: native secp256k1, never its silent fallback in JavaScript (protocol.md, Messages); and its
// hashes in WebAssembly, a tenth of the time that they take in JavaScript.
// An entry of its own, so that a browser that imports the package does not meet a native module.
import { createRequire } from 'node:module'
import type * as HashWasm from 'hash-wasm'
import { PeerHostError } from './errors/peerhost-error.ts'
import { fromHex, type Hex, isHex, toHex } from './hex.ts'
import { keccakBytes, replaceKeccak } from './keccak.ts'
import { parsePrivateKey } from './signing/private-key.ts'
import { createPureSigner, recoverPure } from './signing/pure.ts'
import { HALF_ORDER, type MessageSigner, type Recover, saltOf } from './signing/signer.ts'

interface Secp256k1 {
  privateKeyVerify(key: Uint8Array): boolean
  publicKeyCreate(key: Uint8Array, compressed: boolean): Uint8Array
  ecdsaSign(digest: Uint8Array, key: Uint8Array): { signature: Uint8Array; recid: number }
  ecdsaRecover(signature: Uint8Array, recid: number, digest: Uint8Array, compressed: boolean): Uint8Array
}

const require = createRequire(import.meta.url)

// This algorithm alone: the package's entry holds all of them. Hashing never awaits, so one hasher serves all.
const { createKeccak } = require('hash-wasm/dist/keccak.umd.min.js') as Pick<typeof HashWasm, 'createKeccak'>
const hasher = await createKeccak(256)
replaceKeccak((bytes) => hasher.init().update(bytes).digest('binary'))

let library: Secp256k1 | null | undefined

/** The native library, or null on a machine for which there is no build of it. Its bindings are asked for by name. */
function load(): Secp256k1 | null {
  if (library === undefined) {
    try {
      library = require('secp256k1/bindings.js') as Secp256k1
    } catch {
      library = null
    }
  }
  return library
}

/** Which implementation signs here; doctor says so. */
export const signingBackend = (): 'native' | 'pure' => (load() ? 'native' : 'pure')

const addressOf = (publicKey: Uint8Array): Hex => toHex(keccakBytes(publicKey.subarray(1)).subarray(12))

/** A signer over native secp256k1 (about 0.03 ms). Throws PH_CONFIG_KEY_INVALID. */
export function createSigner(privateKey: string): MessageSigner {
  const hex = parsePrivateKey(privateKey)
  const native = load()
  if (!native) return createPureSigner(hex)
  const key = fromHex(hex)
  if (!native.privateKeyVerify(key)) throw new PeerHostError('PH_CONFIG_KEY_INVALID', {})
  return {
    address: addressOf(native.publicKeyCreate(key, false)),
    sign(digest) {
      const { signature, recid } = native.ecdsaSign(fromHex(digest), key)
      return `${toHex(signature)}${recid === 0 ? '1b' : '1c'}` as Hex
    },
    salt: saltOf(key),
  }
}

/** Recovers over native secp256k1 (about 0.05 ms). */
export const recover: Recover = (digest, signature) => {
  const native = load()
  if (!native) return recoverPure(digest, signature)
  if (!isHex(signature, 65) || !isHex(digest, 32)) return undefined
  const bytes = fromHex(signature)
  const v = bytes[64]
  if ((v !== 27 && v !== 28) || BigInt(toHex(bytes.subarray(32, 64))) > HALF_ORDER) return undefined
  try {
    return addressOf(native.ecdsaRecover(bytes.subarray(0, 64), v - 27, fromHex(digest), false))
  } catch {
    return undefined
  }
}
