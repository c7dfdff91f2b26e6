import { open, readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { PeerHostError } from '@peerhost/protocol'
import { FsBlockstore } from 'blockstore-fs'
import { NextToLast } from 'blockstore-fs/sharding'
import type { CID } from 'multiformats/cid'
import { parseCid, verifyBlock } from '../block.ts'
import { streamCar } from '../car.ts'
import { type Block, DEFAULT_MAX_BYTES, type ImportedFile, type ReadOptions, type Store } from '../store.ts'
import { readFile } from '../walk-file.ts'

export interface EmbeddedOptions {
  /** Folder of the blocks; made if it is missing. */
  path: string
  /** Bytes that all blocks may take together; more is PH_STORE_FULL. Default: no limit. */
  maxStoreBytes?: number
}

/** A store in a folder of this machine (blockstore-fs). A block that was damaged on disk counts as missing and is written again by the next put. */
export class EmbeddedStore implements Store {
  readonly name: string
  readonly #blocks: FsBlockstore
  readonly #sharding = new NextToLast()
  readonly #path: string
  readonly #maxStoreBytes: number
  readonly #writing = new Map<string, Promise<void>>()
  #storedBytes = 0
  #ready: Promise<void> | undefined

  constructor({ path, maxStoreBytes = Number.POSITIVE_INFINITY }: EmbeddedOptions) {
    this.name = path
    this.#path = path
    this.#maxStoreBytes = maxStoreBytes
    this.#blocks = new FsBlockstore(path, { shardingStrategy: this.#sharding })
  }

  async put(file: ImportedFile, { signal }: { signal?: AbortSignal } = {}): Promise<void> {
    await this.#open()
    // Leaves first: while the root is missing, so is the file.
    for (const block of file.blocks.toReversed()) {
      signal?.throwIfAborted()
      await this.#putOnce(block)
    }
    for (const folder of new Set([
      ...file.blocks.map((block) => dirname(this.#fileOf(parseCid(block.cid)))),
      this.#path,
    ]))
      await sync(folder)
  }

  async get(cid: string, { maxBytes = DEFAULT_MAX_BYTES, signal }: ReadOptions = {}): Promise<Uint8Array> {
    return readFile(parseCid(cid), (block) => this.#read(block, signal), maxBytes)
  }

  async getBlock(cid: string, { signal }: ReadOptions = {}): Promise<Uint8Array> {
    return this.#read(parseCid(cid), signal)
  }

  async has(cid: string): Promise<boolean> {
    await this.#open()
    return this.#blocks.has(parseCid(cid))
  }

  async *car(cid: string, { maxBytes = DEFAULT_MAX_BYTES, signal }: ReadOptions = {}): AsyncIterable<Uint8Array> {
    yield* streamCar(parseCid(cid), (block) => this.#read(block, signal), maxBytes)
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#writing.values())
    await this.#blocks.close()
  }

  #open(): Promise<void> {
    this.#ready ??= (async () => {
      await this.#blocks.open()
      if (this.#maxStoreBytes < Number.POSITIVE_INFINITY) this.#storedBytes = await bytesIn(this.#path)
    })()
    return this.#ready
  }

  async #read(cid: CID, signal?: AbortSignal): Promise<Uint8Array> {
    await this.#open()
    const parts: Uint8Array[] = []
    try {
      for await (const part of this.#blocks.get(cid, { signal })) parts.push(part)
      return verifyBlock(cid, Buffer.concat(parts))
    } catch (cause) {
      signal?.throwIfAborted()
      throw new PeerHostError('PH_STORE_NOT_FOUND', { cid: cid.toString() }, { cause })
    }
  }

  /** Two writers of one block would fight over blockstore-fs's rename: the second waits for the first. */
  async #putOnce(block: Block): Promise<void> {
    const cid = parseCid(block.cid)
    const key = cid.multihash.bytes.toString()
    const underWay = this.#writing.get(key)
    if (underWay) return underWay
    const write = this.#write(cid, block.bytes).finally(() => this.#writing.delete(key))
    this.#writing.set(key, write)
    return write
  }

  async #write(cid: CID, bytes: Uint8Array): Promise<void> {
    verifyBlock(cid, bytes)
    if (!(await this.#holds(cid))) {
      if (this.#storedBytes + bytes.length > this.#maxStoreBytes)
        throw new PeerHostError('PH_STORE_FULL', { store: this.name })
      this.#storedBytes += bytes.length
      await this.#blocks.put(cid, bytes)
    }
    // blockstore-fs renames a file that may not have reached the disk yet.
    await sync(this.#fileOf(cid))
  }

  async #holds(cid: CID): Promise<boolean> {
    return this.#read(cid).then(
      () => true,
      () => false,
    )
  }

  #fileOf(cid: CID): string {
    const { dir, file } = this.#sharding.encode(cid)
    return join(this.#path, dir, file)
  }
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function bytesIn(path: string): Promise<number> {
  let total = 0
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) total += (await stat(join(entry.parentPath, entry.name))).size
  }
  return total
}
