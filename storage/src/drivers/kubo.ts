import { PeerHostError, RAW } from '@peerhost/protocol'
import { parseCid, verifyBlock } from '../block.ts'
import { carLimit, readCar, streamCar, toCar } from '../car.ts'
import { baseUrl, DEFAULT_TIMEOUT_MS, exchange, type HttpRequest, readLimited, refusal } from '../http.ts'
import { DEFAULT_MAX_BYTES, type ImportedFile, MAX_BLOCK_BYTES, type ReadOptions, type Store } from '../store.ts'
import { fileBytes } from '../walk-file.ts'

export interface KuboOptions {
  /** Base of the RPC, for example http://127.0.0.1:5001. */
  url: string
  /** Further headers, for example `authorization` for an RPC behind API.Authorizations. */
  headers?: Record<string, string>
  /** Milliseconds for one exchange; kubo searches the network no longer than that. Default: 30,000. */
  timeoutMs?: number
}

/** A kubo node by its RPC (https://docs.ipfs.tech/reference/kubo/rpc/). `dag/import` keeps our blocks as they are; `add` would cut the file anew. */
export class KuboStore implements Store {
  readonly name: string
  readonly #base: string
  readonly #headers: Record<string, string>
  readonly #timeoutMs: number

  constructor({ url, headers = {}, timeoutMs = DEFAULT_TIMEOUT_MS }: KuboOptions) {
    this.#base = `${baseUrl(url)}/api/v0`
    this.name = `kubo at ${new URL(this.#base).host}`
    this.#headers = headers
    this.#timeoutMs = timeoutMs
  }

  async put(file: ImportedFile, { signal }: { signal?: AbortSignal } = {}): Promise<void> {
    const body = new FormData()
    body.append('file', new Blob([toCar(file)], { type: 'application/vnd.ipld.car' }), 'file.car')
    const lines = await this.#call(
      'dag/import',
      { 'pin-roots': 'true', 'cid-base': 'base32' },
      { body, signal },
      async (response) => {
        if (!response.ok) throw await refusal(this.name, response)
        return Buffer.from(await readLimited(bodyOf(response), 64 * 1024)).toString()
      },
    )
    // The answer is a line of JSON for each root; kubo reports a failed pin in it, with status 200.
    const roots = lines.split('\n').flatMap((line) => parseRoot(line) ?? [])
    const failed = roots.find((root) => root.pinError !== '')
    if (failed) throw new PeerHostError('PH_STORE_REFUSED', { store: this.name, detail: failed.pinError.slice(0, 200) })
    if (!roots.some((root) => root.cid === file.cid)) {
      throw new PeerHostError('PH_STORE_CID_MISMATCH', {
        store: this.name,
        expected: file.cid,
        actual: roots[0]?.cid.slice(0, 80) ?? 'nothing',
      })
    }
  }

  async get(cid: string, options: ReadOptions = {}): Promise<Uint8Array> {
    if (parseCid(cid).code === RAW) return this.getBlock(cid, options)
    return fileBytes(await this.#file(cid, options))
  }

  async getBlock(cid: string, { maxBytes = MAX_BLOCK_BYTES, signal }: ReadOptions = {}): Promise<Uint8Array> {
    const limit = Math.min(maxBytes, MAX_BLOCK_BYTES)
    return verifyBlock(parseCid(cid), await this.#read('block/get', cid, limit, signal))
  }

  async has(cid: string, { signal }: ReadOptions = {}): Promise<boolean> {
    parseCid(cid)
    return this.#call('block/stat', { arg: cid, offline: 'true' }, { signal }, async (response) => {
      if (response.ok) return true
      const error = await refusal(this.name, response)
      if (isAbsence(error)) return false
      throw error
    })
  }

  async *car(cid: string, options: ReadOptions = {}): AsyncIterable<Uint8Array> {
    const file = await this.#file(cid, options)
    const blocks = new Map(file.blocks.map((block) => [block.cid, block.bytes]))
    yield* streamCar(
      parseCid(cid),
      async (block) => blocks.get(block.toString())!,
      options.maxBytes ?? DEFAULT_MAX_BYTES,
    )
  }

  async close(): Promise<void> {}

  async #file(cid: string, { maxBytes = DEFAULT_MAX_BYTES, signal }: ReadOptions): Promise<ImportedFile> {
    parseCid(cid)
    return readCar(await this.#read('dag/export', cid, carLimit(maxBytes), signal), { maxBytes, root: cid })
  }

  #read(command: string, cid: string, maxBytes: number, signal?: AbortSignal): Promise<Uint8Array> {
    // Its own time limit makes kubo say that it did not find the block, instead of hanging up.
    const timeout = `${Math.max(1, Math.floor(this.#timeoutMs * 0.9))}ms`
    return this.#call(command, { arg: cid, timeout }, { signal }, async (response) => {
      if (response.ok) return readLimited(bodyOf(response), maxBytes)
      const error = await refusal(this.name, response)
      throw isAbsence(error) ? new PeerHostError('PH_STORE_NOT_FOUND', { cid }, { cause: error }) : error
    })
  }

  #call<T>(
    command: string,
    query: Record<string, string>,
    request: HttpRequest,
    read: (response: Response) => Promise<T>,
  ): Promise<T> {
    const url = `${this.#base}/${command}?${new URLSearchParams(query)}`
    // The RPC takes POST only, against forged requests from web pages.
    return exchange(
      this.name,
      url,
      { timeoutMs: this.#timeoutMs, ...request, method: 'POST', headers: this.#headers, redirect: 'error' },
      read,
    )
  }
}

/** kubo answers everything it cannot do with status 500; only the text tells. */
const isAbsence = (error: Error): boolean => /not found|deadline exceeded|could not find/i.test(error.message)

function parseRoot(line: string): { cid: string; pinError: string } | undefined {
  if (line.trim() === '') return undefined
  try {
    const { Root } = JSON.parse(line)
    return Root && { cid: String(Root.Cid?.['/']), pinError: String(Root.PinErrorMsg ?? '') }
  } catch {
    return undefined
  }
}

const bodyOf = (response: Response) => response.body as AsyncIterable<Uint8Array> | null
