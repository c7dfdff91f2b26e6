import { decode as decodeNode } from '@ipld/dag-pb'
import { PeerHostError, RAW } from '@peerhost/protocol'
import { UnixFS } from 'ipfs-unixfs'
import type { CID } from 'multiformats/cid'
import { parseCid, requireSupported } from './block.ts'
import type { ImportedFile } from './store.ts'

/** 1,024 links and 1 MiB chunks reach a tebibyte at depth 3; foreign importers with narrower trees stay below this too. */
const MAX_DEPTH = 16

export interface FileBlock {
  cid: CID
  bytes: Uint8Array
  /** The part of the file that this block itself holds. */
  data: Uint8Array
}

interface Pending {
  cid: CID
  /** Bytes of the file below this link, as its parent says; unknown for the root. */
  size: number | undefined
  depth: number
}

/**
 * Visits the blocks of a UnixFS file depth first, in the order of its bytes.
 *
 * The DAG is hostile input. Sizes come from the parents and are checked at the children, so a root that says too much
 * is refused before its children are fetched, one block linked a million times counts a million times, and every visit
 * but those of inner nodes brings at least one byte. `getBlock` must return verified bytes.
 * Throws PH_STORE_DAG_INVALID, PH_STORE_TOO_LARGE and what `getBlock` throws.
 */
export async function* walkFile(
  root: CID,
  getBlock: (cid: CID) => Promise<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<FileBlock> {
  const invalid = (detail: string, cause?: unknown) =>
    new PeerHostError('PH_STORE_DAG_INVALID', { cid: root.toString(), detail }, { cause })
  // Chunks smaller than 1 KiB on average would only serve to keep a reader busy.
  let visitsLeft = 1024 + Math.ceil(maxBytes / 1024)
  const pending: Pending[] = [{ cid: requireSupported(root), size: undefined, depth: 0 }]
  for (let next = pending.pop(); next; next = pending.pop()) {
    const { cid, size, depth } = next
    if (visitsLeft-- === 0) throw invalid('it has too many blocks')
    const bytes = await getBlock(cid)
    if (cid.code === RAW) {
      if (size === undefined && bytes.length > maxBytes)
        throw new PeerHostError('PH_STORE_TOO_LARGE', { limit: maxBytes })
      if (size !== undefined && bytes.length !== size) throw invalid('a block has another size than its parent says')
      yield { cid, bytes, data: bytes }
      continue
    }
    const { links, data, blockSizes, total } = readNode(bytes, invalid)
    if (size === undefined && total > BigInt(maxBytes))
      throw new PeerHostError('PH_STORE_TOO_LARGE', { limit: maxBytes })
    if (size !== undefined && total !== BigInt(size)) throw invalid('a node has another size than its parent says')
    if (links.length > 0 && depth === MAX_DEPTH) throw invalid('it is too deep')
    for (let i = links.length - 1; i >= 0; i--) {
      if (blockSizes[i] === 0n) throw invalid('it has an empty part')
      pending.push({ cid: supportedLink(links[i]!, invalid), size: Number(blockSizes[i]), depth: depth + 1 })
    }
    yield { cid, bytes, data }
  }
}

function readNode(bytes: Uint8Array, invalid: (detail: string, cause?: unknown) => Error) {
  let links: CID[]
  let file: UnixFS
  try {
    const node = decodeNode(bytes)
    links = node.Links.map((link) => link.Hash)
    file = UnixFS.unmarshal(node.Data ?? new Uint8Array())
  } catch (cause) {
    throw invalid('a node cannot be read', cause)
  }
  if (file.type !== 'file' && file.type !== 'raw') throw invalid(`it is a ${file.type}`)
  if (file.blockSizes.length !== links.length) throw invalid('a node does not say the size of each part')
  const data = file.data ?? new Uint8Array()
  return { links, data, blockSizes: file.blockSizes, total: file.fileSize() }
}

function supportedLink(cid: CID, invalid: (detail: string, cause?: unknown) => Error): CID {
  try {
    return requireSupported(cid)
  } catch (cause) {
    throw invalid('it links to a CID that cannot be verified', cause)
  }
}

/** Reads a whole file by its blocks; the arguments and errors of `walkFile`. */
export async function readFile(
  root: CID,
  getBlock: (cid: CID) => Promise<Uint8Array>,
  maxBytes: number,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for await (const { data } of walkFile(root, getBlock, maxBytes)) if (data.length > 0) parts.push(data)
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
}

/** The bytes of a file whose blocks are all at hand and verified. */
export function fileBytes(file: ImportedFile): Promise<Uint8Array> {
  const blocks = new Map(file.blocks.map((block) => [block.cid, block.bytes]))
  return readFile(parseCid(file.cid), async (cid) => blocks.get(cid.toString())!, file.size)
}
