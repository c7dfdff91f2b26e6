import { CHUNK_SIZE } from '@peerhost/protocol'
import { importFile } from 'ipfs-unixfs-importer'
import type { CID } from 'multiformats/cid'
import { rawCidOf } from './block.ts'
import type { ImportedFile } from './store.ts'
import { walkFile } from './walk-file.ts'

export interface ImportOptions {
  /** Gives also a file of one block a dag-pb root above it. A batch's data has one: its digest alone is anchored, and the codec must not be a guess. */
  dagRoot?: boolean
}

/**
 * Cuts a file into blocks by profile unixfs-v1-2025 (IPIP-499): 1 MiB chunks, raw leaves, 1,024 links, CIDv1.
 * A file of up to 1 MiB is one raw block, whose CID holds the sha-256 of the file.
 */
export async function importBytes(bytes: Uint8Array, options: ImportOptions = {}): Promise<ImportedFile> {
  if (bytes.length <= CHUNK_SIZE && !options.dagRoot) {
    const cid = rawCidOf(bytes).toString()
    return { cid, size: bytes.length, blocks: [{ cid, bytes }] }
  }
  const blocks = new Map<string, Uint8Array>()
  const keep = {
    async put(cid: CID, block: Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<CID> {
      blocks.set(cid.toString(), block instanceof Uint8Array ? block : await collect(block))
      return cid
    },
  }
  const { cid } = await importFile({ content: bytes }, keep, {
    profile: 'unixfs-v1-2025',
    reduceSingleLeafToSelf: !options.dagRoot,
    blockWriteConcurrency: 1,
  })
  return fileOfBlocks(cid, blocks, bytes.length)
}

/**
 * Gathers the blocks of a file from a set of verified ones, in depth-first order and each once.
 * Throws what `walkFile` throws; a missing block is looked up by `missing`.
 */
export async function fileOfBlocks(
  root: CID,
  blocks: ReadonlyMap<string, Uint8Array>,
  maxBytes: number,
  missing: (cid: string) => Error = (cid) => new Error(`block ${cid} is missing`),
): Promise<ImportedFile> {
  const used = new Map<string, Uint8Array>()
  let size = 0
  const getBlock = async (cid: CID) => {
    const bytes = blocks.get(cid.toString())
    if (!bytes) throw missing(cid.toString())
    return bytes
  }
  for await (const { cid, bytes, data } of walkFile(root, getBlock, maxBytes)) {
    used.set(cid.toString(), bytes)
    size += data.length
  }
  return { cid: root.toString(), size, blocks: Array.from(used, ([cid, bytes]) => ({ cid, bytes })) }
}

async function collect(parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = []
  for await (const part of parts) all.push(part)
  return Buffer.concat(all)
}
