import { decode as decodeNode } from '@ipld/dag-pb'
import { DAG_PB, digestOfCid, PeerHostError, RAW, sha256Hex } from '@peerhost/protocol'

export interface FetchFileOptions {
  /** Base of `/ipfs/<cid>`: a PeerHost gateway or any trustless IPFS gateway. */
  ipfsUrl: string
  /** Bytes of the whole file. Default: 64 MiB. */
  maxBytes?: number
  signal?: AbortSignal
  fetch?: typeof globalThis.fetch
}

const MAX_BLOCK = 2 * 1024 * 1024
const MAX_DEPTH = 4
/** Blocks asked for at once. */
const PARALLEL = 4

/**
 * Reads a file of profile unixfs-v1-2025 from a trustless gateway, block by block, each checked against its CID. In this
 * profile inner nodes hold links only and every byte lies in a raw leaf.
 *
 * @throws PH_STORE_NOT_FOUND, PH_STORE_UNREACHABLE, PH_STORE_BLOCK_INVALID, PH_STORE_DAG_INVALID, PH_STORE_TOO_LARGE
 */
export async function fetchFile(cid: string, options: FetchFileOptions): Promise<Uint8Array> {
  const maxBytes = options.maxBytes ?? 64 * 1024 * 1024
  const invalid = (detail: string) => new PeerHostError('PH_STORE_DAG_INVALID', { cid, detail })
  const leaves: Uint8Array[] = []
  let size = 0
  let visits = Math.ceil(maxBytes / 1024) + 64

  const visit = async (blocks: readonly string[], depth: number): Promise<void> => {
    for (let at = 0; at < blocks.length; at += PARALLEL) {
      const some = blocks.slice(at, at + PARALLEL)
      visits -= some.length
      if (visits < 0) throw invalid('it has too many blocks')
      const bytes = await Promise.all(some.map((block) => fetchBlock(block, options)))
      for (const [i, block] of bytes.entries()) {
        const { codec } = digestOfCid(some[i]!)
        if (codec === RAW) {
          size += block.length
          if (size > maxBytes) throw new PeerHostError('PH_STORE_TOO_LARGE', { limit: maxBytes })
          leaves.push(block)
        } else if (codec === DAG_PB) {
          if (depth === MAX_DEPTH) throw invalid('it is too deep')
          await visit(linksOf(block, invalid), depth + 1)
        }
      }
    }
  }
  await visit([cid], 0)

  const file = new Uint8Array(size)
  let at = 0
  for (const leaf of leaves) {
    file.set(leaf, at)
    at += leaf.length
  }
  return file
}

function linksOf(block: Uint8Array, invalid: (detail: string) => Error): string[] {
  try {
    return decodeNode(block).Links.map((link) => link.Hash.toString())
  } catch {
    throw invalid('a node cannot be read')
  }
}

async function fetchBlock(
  cid: string,
  { ipfsUrl, signal, fetch = globalThis.fetch }: FetchFileOptions,
): Promise<Uint8Array> {
  const { digest } = digestOfCid(cid)
  const store = new URL(ipfsUrl).host
  let bytes: Uint8Array
  try {
    const headers = { accept: 'application/vnd.ipld.raw' }
    const response = await fetch(`${ipfsUrl.replace(/\/+$/, '')}/ipfs/${cid}?format=raw`, { headers, signal })
    if (response.status === 404 || response.status === 410) throw new PeerHostError('PH_STORE_NOT_FOUND', { cid })
    if (!response.ok) throw new PeerHostError('PH_STORE_REFUSED', { store, detail: `status ${response.status}` })
    bytes = await readLimited(response)
  } catch (cause) {
    if (cause instanceof PeerHostError || signal?.aborted) throw cause
    const detail = cause instanceof Error ? cause.message : String(cause)
    throw new PeerHostError('PH_STORE_UNREACHABLE', { store, detail }, { cause })
  }
  if (sha256Hex(bytes) !== digest) throw new PeerHostError('PH_STORE_BLOCK_INVALID', { cid })
  return bytes
}

async function readLimited(response: Response): Promise<Uint8Array> {
  const reader = response.body?.getReader()
  const parts: Uint8Array[] = []
  let size = 0
  for (let part = await reader?.read(); part && !part.done; part = await reader!.read()) {
    size += part.value.length
    if (size > MAX_BLOCK) {
      await reader!.cancel()
      throw new PeerHostError('PH_STORE_TOO_LARGE', { limit: MAX_BLOCK })
    }
    parts.push(part.value)
  }
  const bytes = new Uint8Array(size)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}
