import { createHash } from 'node:crypto'
import { DAG_PB, PeerHostError, RAW } from '@peerhost/protocol'
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import { MAX_BLOCK_BYTES } from './store.ts'

const SHA2_256 = 0x12

/** Parses a CID and refuses all but CIDv1, sha-256, raw or dag-pb: PH_STORE_CID_INVALID. */
export function parseCid(text: string): CID {
  try {
    return requireSupported(CID.parse(text))
  } catch {
    throw new PeerHostError('PH_STORE_CID_INVALID', { cid: String(text).slice(0, 80) })
  }
}

/** Refuses CIDs whose content cannot be checked here, identity CIDs among them: they carry their content unhashed. */
export function requireSupported(cid: CID): CID {
  const { version, code, multihash } = cid
  if (version === 1 && (code === RAW || code === DAG_PB) && multihash.code === SHA2_256 && multihash.size === 32)
    return cid
  throw new PeerHostError('PH_STORE_CID_INVALID', { cid: cid.toString().slice(0, 80) })
}

/** The raw CID of these bytes. */
export function rawCidOf(bytes: Uint8Array): CID {
  return CID.createV1(RAW, createDigest(SHA2_256, sha256(bytes)))
}

/** Returns the bytes if they hash to the CID; throws PH_STORE_BLOCK_INVALID otherwise, also for a block over 2 MiB. */
export function verifyBlock(cid: CID, bytes: Uint8Array): Uint8Array {
  if (bytes.length <= MAX_BLOCK_BYTES && Buffer.compare(sha256(bytes), cid.multihash.digest) === 0) return bytes
  throw new PeerHostError('PH_STORE_BLOCK_INVALID', { cid: cid.toString() })
}

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest()
