import { createWriter } from '@ipld/car/buffer-writer'
import { CarBlockIterator } from '@ipld/car/iterator'
import { PeerHostError } from '@peerhost/protocol'
import { varint } from 'multiformats'
import type { CID } from 'multiformats/cid'
import { parseCid, requireSupported, verifyBlock } from './block.ts'
import { fileOfBlocks } from './import-bytes.ts'
import { DEFAULT_MAX_BYTES, type ImportedFile } from './store.ts'
import { walkFile } from './walk-file.ts'

/** What a CAR of a file of `maxBytes` has at most, in bytes: its links, lengths and CIDs weigh little beside the chunks. */
export const carLimit = (maxBytes: number): number => maxBytes + Math.ceil(maxBytes / 64) + 64 * 1024

/** The CARv1 of a file (https://ipld.io/specs/transport/car/carv1/). */
export function toCar(file: ImportedFile): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [carHeader(parseCid(file.cid))]
  for (const { cid, bytes } of file.blocks) parts.push(carSectionHead(parseCid(cid), bytes.length), bytes)
  return Uint8Array.from(Buffer.concat(parts))
}

/** The CARv1 of a file whose blocks come from `getBlock`, each block once, depth first; the errors of `walkFile`. */
export async function* streamCar(
  root: CID,
  getBlock: (cid: CID) => Promise<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<Uint8Array> {
  const sent = new Set<string>()
  for await (const { cid, bytes } of walkFile(root, getBlock, maxBytes)) {
    if (sent.size === 0) yield carHeader(root)
    const key = cid.toString()
    if (sent.has(key)) continue
    sent.add(key)
    yield carSectionHead(cid, bytes.length)
    yield bytes
  }
}

/** A CARv1 of the root block alone. */
export const blockCar = (root: CID, bytes: Uint8Array): Uint8Array =>
  Buffer.concat([carHeader(root), carSectionHead(root, bytes.length), bytes])

export interface ReadCarOptions {
  /** Bytes of the file. Default: DEFAULT_MAX_BYTES. */
  maxBytes?: number
  /** The root that was asked for; another one is PH_STORE_CAR_INVALID. */
  root?: string
}

/**
 * Reads a CARv1 that holds one file: one root, all of its blocks and no others, each re-hashed.
 * Throws PH_STORE_CAR_INVALID, PH_STORE_BLOCK_INVALID, PH_STORE_TOO_LARGE (of the file's bytes), PH_STORE_DAG_INVALID.
 */
export async function readCar(bytes: Uint8Array, options: ReadCarOptions = {}): Promise<ImportedFile> {
  const maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES
  if (bytes.length > carLimit(maxBytes)) throw new PeerHostError('PH_STORE_TOO_LARGE', { limit: maxBytes })
  const { root, blocks } = await readBlocks(bytes)
  if (options.root !== undefined && options.root !== root.toString()) {
    throw new PeerHostError('PH_STORE_CAR_INVALID', { detail: `its root is not ${options.root}` })
  }
  const missing = (cid: string) => new PeerHostError('PH_STORE_CAR_INVALID', { detail: `block ${cid} is missing` })
  const file = await fileOfBlocks(root, blocks, maxBytes, missing)
  if (file.blocks.length !== blocks.size)
    throw new PeerHostError('PH_STORE_CAR_INVALID', { detail: 'it has blocks that are not of its root' })
  return file
}

async function readBlocks(bytes: Uint8Array): Promise<{ root: CID; blocks: Map<string, Uint8Array> }> {
  const blocks = new Map<string, Uint8Array>()
  try {
    const reader = await CarBlockIterator.fromBytes(bytes)
    const roots = await reader.getRoots()
    if (reader.version !== 1 || roots.length !== 1) {
      throw new PeerHostError('PH_STORE_CAR_INVALID', { detail: 'it is not version 1 with one root' })
    }
    for await (const block of reader) {
      // A CID of another copy of multiformats: parsed anew, so that only one kind goes around here.
      const cid = parseCid(requireSupported(block.cid as CID).toString())
      blocks.set(cid.toString(), verifyBlock(cid, block.bytes))
    }
    return { root: parseCid(roots[0]!.toString()), blocks }
  } catch (cause) {
    if (cause instanceof PeerHostError) throw cause
    throw new PeerHostError('PH_STORE_CAR_INVALID', { detail: 'it cannot be parsed' }, { cause })
  }
}

function carHeader(root: CID): Uint8Array {
  return createWriter(new ArrayBuffer(128), { roots: [root] }).close({ resize: true })
}

function carSectionHead(cid: CID, length: number): Uint8Array {
  const size = cid.bytes.length + length
  const head = new Uint8Array(varint.encodingLength(size) + cid.bytes.length)
  varint.encodeTo(size, head, 0)
  head.set(cid.bytes, varint.encodingLength(size))
  return head
}
