import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Hex } from '@peerhost/protocol'
import type { Host } from '../host/host.ts'
import { makeCodeCache } from '../jail/make-code-cache.ts'

const KEPT = 64

/**
 * Code caches by code digest. Each is made here, from the verified bundle, and never taken from anywhere: V8 trusts what is
 * in it. Kept in memory, and on this worker's disk where a folder is given.
 */
export class CodeCaches {
  readonly #host: Host
  readonly #folder: string | undefined
  readonly #caches = new Map<string, Promise<Buffer | undefined>>()
  readonly #known = new Map<string, Buffer | undefined>()

  /** @param folder of this worker alone; its name is taken for one runtime id */
  constructor(host: Host, folder: string | undefined) {
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
        this.#known.set(digest, bytes)
        return bytes
      })
      this.#caches.set(digest, cache)
      this.#forgetOldest()
    }
    return cache
  }

  async #load(digest: Hex, source: Buffer): Promise<Buffer | undefined> {
    const file = this.#folder && join(this.#folder, digest)
    try {
      if (file) return readFileSync(file)
    } catch {}
    try {
      const bytes = await makeCodeCache(this.#host, source)
      if (file && bytes) {
        writeFileSync(`${file}.new`, bytes, { mode: 0o600 })
        renameSync(`${file}.new`, file)
      }
      return bytes
    } catch {
      return undefined // the bundle is compiled at every load
    }
  }

  #forgetOldest(): void {
    if (this.#caches.size <= KEPT) return
    const oldest = this.#caches.keys().next().value!
    this.#caches.delete(oldest)
    this.#known.delete(oldest)
  }
}
