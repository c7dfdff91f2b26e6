import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import { PeerHostError } from './errors/peerhost-error.ts'
import { fromHex, type Hex, toHex } from './hex.ts'

const SHA2_256 = 0x12
/** Multicodec of a raw block. */
export const RAW = 0x55
/** Multicodec of a dag-pb node, the root of a file of several blocks. */
export const DAG_PB = 0x70
/** A file up to this size is one raw block in profile unixfs-v1-2025 (1 MiB chunks, 1,024 links; IPIP-499). */
export const CHUNK_SIZE = 1024 * 1024

/** The CIDv1 of a block with this sha-256. `rawCid(manifestDigest)` is where a manifest lies. */
export function cidOfDigest(digest: Hex, codec: number = RAW): string {
  return CID.createV1(codec, createDigest(SHA2_256, fromHex(digest))).toString()
}

/** The sha-256 in a CID and its codec; throws PH_STORE_CID_INVALID for anything but CIDv1, sha-256, raw or dag-pb. */
export function digestOfCid(cid: string): { digest: Hex; codec: typeof RAW | typeof DAG_PB } {
  try {
    const { version, code, multihash } = CID.parse(cid)
    if (version === 1 && multihash.code === SHA2_256 && multihash.size === 32 && (code === RAW || code === DAG_PB)) {
      return { digest: toHex(multihash.digest), codec: code }
    }
  } catch {}
  throw new PeerHostError('PH_STORE_CID_INVALID', { cid: cid.slice(0, 80) })
}
