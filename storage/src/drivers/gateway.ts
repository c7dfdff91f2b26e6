import { PeerHostError, RAW } from '@peerhost/protocol'
import { parseCid, verifyBlock } from '../block.ts'
import { carLimit, readCar, streamCar, toCar } from '../car.ts'
import { baseUrl, exchange, type HttpRequest, readLimited, refusal } from '../http.ts'
import { DEFAULT_MAX_BYTES, type ImportedFile, MAX_BLOCK_BYTES, type ReadOptions, type Store } from '../store.ts'
import { fileBytes } from '../walk-file.ts'

/** What an upload's signature has to cover. */
export interface Upload {
  method: 'POST'
  /** Path and query. */
  target: string
  body: Uint8Array
}

export interface GatewayOptions {
  /** Base of the addresses `/ipfs/<cid>`: a PeerHost gateway, or any trustless IPFS gateway to read from. */
  url: string
  /** Gives the headers of an upload: the signed PEERHOST-AUTH. Without it nothing can be put. */
  authorize?: (upload: Upload) => Promise<Record<string, string>>
  /** Milliseconds for one exchange. Default: 30,000. */
  timeoutMs?: number
}

/** A trustless IPFS gateway over HTTP (https://specs.ipfs.tech/http-gateways/trustless-gateway/): every answer is checked against its CID. */
export class GatewayStore implements Store {
  readonly name: string
  readonly #base: string
  readonly #authorize: GatewayOptions['authorize']
  readonly #timeoutMs: number | undefined

  constructor({ url, authorize, timeoutMs }: GatewayOptions) {
    this.#base = baseUrl(url)
    this.name = new URL(this.#base).host
    this.#authorize = authorize
    this.#timeoutMs = timeoutMs
  }

  async put(file: ImportedFile, { signal }: { signal?: AbortSignal } = {}): Promise<void> {
    if (!this.#authorize) throw new PeerHostError('PH_STORE_AUTHENTICATION', { store: this.name })
    const url = new URL(`${this.#base}/ipfs`)
    const body = toCar(file)
    const headers = await this.#authorize({ method: 'POST', target: url.pathname + url.search, body })
    const request: HttpRequest = {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/vnd.ipld.car; version=1' },
      body,
      // A signed upload goes to the gateway it was signed for and nowhere else.
      redirect: 'error',
      signal,
      timeoutMs: this.#timeoutMs,
    }
    const answer = await exchange(this.name, url.href, request, async (response) => {
      if (response.status === 413) throw new PeerHostError('PH_STORE_TOO_LARGE', { limit: 'the gateway takes' })
      if (!response.ok) throw await refusal(this.name, response)
      return JSON.parse(Buffer.from(await readLimited(bodyOf(response), 64 * 1024)).toString())
    })
    if (answer?.cid !== file.cid) {
      throw new PeerHostError('PH_STORE_CID_MISMATCH', {
        store: this.name,
        expected: file.cid,
        actual: String(answer?.cid).slice(0, 80),
      })
    }
  }

  async get(cid: string, options: ReadOptions = {}): Promise<Uint8Array> {
    const root = parseCid(cid)
    const maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES
    if (root.code === RAW) {
      const bytes = await this.getBlock(cid, { ...options, maxBytes: Math.min(maxBytes, MAX_BLOCK_BYTES) })
      return bytes
    }
    return fileBytes(await this.#file(cid, options))
  }

  async getBlock(cid: string, options: ReadOptions = {}): Promise<Uint8Array> {
    const limit = Math.min(options.maxBytes ?? MAX_BLOCK_BYTES, MAX_BLOCK_BYTES)
    return verifyBlock(parseCid(cid), await this.#fetch(cid, 'raw', limit, options))
  }

  async has(cid: string, { signal }: ReadOptions = {}): Promise<boolean> {
    parseCid(cid)
    const request: HttpRequest = { method: 'HEAD', headers: { accept: ACCEPT.raw }, signal, timeoutMs: this.#timeoutMs }
    return exchange(this.name, `${this.#base}/ipfs/${cid}?format=raw`, request, async (response) => {
      if (response.ok) return true
      if (isAbsence(response.status)) return false
      throw await refusal(this.name, response)
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

  async #file(cid: string, options: ReadOptions): Promise<ImportedFile> {
    parseCid(cid)
    const maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES
    const bytes = await this.#fetch(cid, 'car', carLimit(maxBytes), options)
    return readCar(bytes, { maxBytes, root: cid })
  }

  #fetch(cid: string, format: keyof typeof ACCEPT, maxBytes: number, { signal }: ReadOptions): Promise<Uint8Array> {
    parseCid(cid)
    const request: HttpRequest = { headers: { accept: ACCEPT[format] }, signal, timeoutMs: this.#timeoutMs }
    return exchange(this.name, `${this.#base}/ipfs/${cid}?format=${format}`, request, async (response) => {
      if (response.ok) return readLimited(bodyOf(response), maxBytes)
      if (isAbsence(response.status)) throw new PeerHostError('PH_STORE_NOT_FOUND', { cid })
      throw await refusal(this.name, response)
    })
  }
}

const ACCEPT = { raw: 'application/vnd.ipld.raw', car: 'application/vnd.ipld.car; version=1; order=dfs; dups=n' }

/** 410: blocked or gone. */
const isAbsence = (status: number): boolean => status === 404 || status === 410

const bodyOf = (response: Response) => response.body as AsyncIterable<Uint8Array> | null
