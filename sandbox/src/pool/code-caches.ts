import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Hex } from '@peerhost/protocol'
import type { Host } from '../host/host.ts'
import { makeCodeCache } from '../jail/make-code-cache.ts'

const KEPT = 64
const MEGABYTE = 1024 * 1024
const MEMORY_BYTES = 256 * MEGABYTE
const DISK_BYTES = 1024 * MEGABYTE

const SUM_BYTES = 32
const sumOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest()

/** V8 runs what is in a cache without a check of its own: a file that lost something to a power cut must not count. */
export const toFile = (bytes: Buffer): Buffer => Buffer.concat([sumOf(bytes), bytes])

function fromFile(file: Buffer): Buffer | undefined {
  const bytes = file.subarray(SUM_BYTES)
  return bytes.length > 0 && sumOf(bytes).equals(file.subarray(0, SUM_BYTES)) ? bytes : undefined
}

/** Deletes a folder's oldest files until the rest takes no more than so many bytes. */
export function deleteOldest(folder: string, bytes: number): void {
  const files = readdirSync(folder).map((name) => {
    const path = join(folder, name)
    const { size, mtimeMs } = statSync(path)
    return { path, size, mtimeMs }
  })
  files.sort((a, b) => b.mtimeMs - a.mtimeMs)
  let kept = 0
  for (const { path, size } of files) {
    kept += size
    if (kept > bytes) rmSync(path)
  }
}

/**
 * Code caches by code digest. Each is made here, from the verified bundle, and never taken from anywhere: V8 trusts what is
 * in it. Kept in memory, and on this worker's disk where a folder is given; in both, the newest up to a limit of bytes.
 */
export class CodeCaches {
  readonly #host: Host
  readonly #folder: string | undefined
  readonly #caches = new Map<string, Promise<Buffer | undefined>>()
  readonly #known = new Map<string, Buffer | undefined>()

  readonly #memoryBytes: number

  /** @param folder of this worker alone; its name is taken for one runtime id */
  constructor(host: Host, folder: string | undefined, memoryBytes: number = MEMORY_BYTES) {
    this.#memoryBytes = memoryBytes
    this.#host = host
    this.#folder = folder
    if (folder) mkdirSync(folder, { recursive: true, mode: 0o700 })
  }

  /** The cache if there is one now. */
  known(digest: Hex): Buffer | undefined {
    return this.#known.get(digest)
  }

  /** The cache, made first if need be. Never rejects. */
  make(digest: Hex, source: Buffer): Promise<Buffer | undefined> {
    let cache = this.#caches.get(digest)
    if (!cache) {
      cache = this.#load(digest, source).then((bytes) => {
        if (this.#caches.has(digest)) this.#known.set(digest, bytes)
        this.#forgetOldest()
        return bytes
      })
      this.#caches.set(digest, cache)
    }
    return cache
  }

  async #load(digest: Hex, source: Buffer): Promise<Buffer | undefined> {
    const kept = this.#read(digest)
    if (kept) return kept
    try {
      const bytes = await makeCodeCache(this.#host, source)
      if (bytes) this.#write(digest, bytes)
      return bytes
    } catch {
      return undefined // the bundle is compiled at every load
    }
  }

  #read(digest: Hex): Buffer | undefined {
    if (!this.#folder) return undefined
    try {
      return fromFile(readFileSync(join(this.#folder, digest)))
    } catch {
      return undefined
    }
  }

  /** Where it cannot be written, it is made again after the next start. */
  #write(digest: Hex, bytes: Buffer): void {
    if (!this.#folder) return
    const file = join(this.#folder, digest)
    try {
      writeFileSync(`${file}.new`, toFile(bytes), { mode: 0o600 })
      renameSync(`${file}.new`, file)
      deleteOldest(this.#folder, DISK_BYTES)
    } catch {}
  }

  #forgetOldest(): void {
    let bytes = 0
    for (const cache of this.#known.values()) bytes += cache?.length ?? 0
    for (const [digest, cache] of this.#known) {
      if (bytes <= this.#memoryBytes && this.#known.size <= KEPT) return
      bytes -= cache?.length ?? 0
      this.#caches.delete(digest)
      this.#known.delete(digest)
    }
  }
}
